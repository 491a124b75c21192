#include "agent_sim/sim_words.h"

#include <stdlib.h>
#include <string.h>

#include "agent_sim/sim_base.h"

static const char WORD[]   = "sim:";
static const char STARTS[] = " \t\r\n&?#;,";
static const char STOPS[]  = " \t\r\n&#;";

enum { VALUE_MAX = 256 };

struct sim_words sim_words_none(void)
{
    return (struct sim_words){.latency_min_ms = -1, .rows = -1};
}

static bool read_number(const char *text, double *ret)
{
    char *end    = NULL;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= 0 && value <= 1e9))
        return false;
    *ret = value;
    return true;
}

/* "800" or "200..800" */
static bool read_latency(struct sim_words *w, const char *value)
{
    char low[VALUE_MAX];
    char *dots = NULL;

    sim_base_copy(low, sizeof low, value);
    dots = strstr(low, "..");
    if (!dots)
        return read_number(value, &w->latency_min_ms) && read_number(value, &w->latency_max_ms);
    *dots = '\0';
    return read_number(low, &w->latency_min_ms) && read_number(dots + 2, &w->latency_max_ms) &&
           w->latency_max_ms >= w->latency_min_ms;
}

/* "reset_after" or "reset_after*1" */
static bool read_fault(struct sim_words *w, const char *value)
{
    char name[VALUE_MAX];
    char *star                = NULL;
    double times              = 0;
    long retry_after          = w->fault.retry_after_s; /* may have been said before */
    enum sim_plan_retry retry = w->fault.retry;

    sim_base_copy(name, sizeof name, value);
    star = strchr(name, '*');
    if (star) {
        *star = '\0';
        if (!read_number(star + 1, &times) || times < 1)
            return false;
    }
    if (!sim_plan_read(&w->fault, name))
        return false;
    w->fault.retry         = retry;
    w->fault.retry_after_s = retry_after;
    w->fault_times         = (uint32_t)times;
    w->faulty              = true;
    return true;
}

static bool read_retry(struct sim_words *w, const char *value, enum sim_plan_retry form)
{
    double seconds = 0;

    if (!read_number(value, &seconds))
        return false;
    w->fault.retry         = form;
    w->fault.retry_after_s = (long)seconds;
    return true;
}

static bool copy(char *ret, size_t room, const char *value)
{
    if (!*value || strlen(value) >= room)
        return false;
    sim_base_copy(ret, room, value);
    return true;
}

static void plus_to_space(char *text)
{
    for (; *text; text++)
        if (*text == '+')
            *text = ' ';
}

static bool read_word(struct sim_words *w, const char *name, const char *value)
{
    double rows = 0;

    if (strcmp(name, "order") == 0)
        return copy(w->order, sizeof w->order, value);
    if (strcmp(name, "tenant") == 0)
        return copy(w->tenant, sizeof w->tenant, value);
    if (strcmp(name, "latency") == 0)
        return read_latency(w, value);
    if (strcmp(name, "fault") == 0)
        return read_fault(w, value);
    if (strcmp(name, "retry_after") == 0)
        return read_retry(w, value, SIM_PLAN_RETRY_SECONDS);
    if (strcmp(name, "retry_after_date") == 0)
        return read_retry(w, value, SIM_PLAN_RETRY_DATE);
    if (strcmp(name, "status") == 0)
        return copy(w->statuses, sizeof w->statuses, value);
    if (strcmp(name, "message") == 0) {
        bool ok = copy(w->message, sizeof w->message, value);

        plus_to_space(w->message);
        return ok;
    }
    if (strcmp(name, "rows") == 0 && read_number(value, &rows)) {
        w->rows = (long)rows;
        return true;
    }
    return false;
}

bool sim_words_read(struct sim_words *words, const char *text, const char **ret_wrong)
{
    for (const char *p = text; (p = strstr(p, WORD)); p++) {
        char name[32], value[VALUE_MAX];
        const char *begin = p + strlen(WORD);
        size_t len        = strcspn(begin, STOPS);
        const char *equal = memchr(begin, '=', len);

        if (p != text && !strchr(STARTS, p[-1]))
            continue;
        *ret_wrong = p;
        if (!equal || (size_t)(equal - begin) >= sizeof name)
            return false;

        size_t value_len = len - (size_t)(equal - begin) - 1;

        if (value_len >= sizeof value)
            return false;
        sim_base_copy(name, (size_t)(equal - begin) + 1, begin);
        sim_base_copy(value, value_len + 1, equal + 1);
        if (!read_word(words, name, value))
            return false;
    }
    return true;
}

void sim_words_status(char *ret, size_t room, const char *statuses, uint64_t n)
{
    const char *item = statuses;
    char word[VALUE_MAX];

    for (;;) {
        size_t len     = strcspn(item, ",");
        char *star     = NULL;
        uint64_t times = 1;

        sim_base_copy(word, len < sizeof word ? len + 1 : sizeof word, item);
        star = strchr(word, '*');
        if (star) {
            *star = '\0';
            times = strtoull(star + 1, NULL, 10);
        }
        if (n < times || !item[len])
            break;
        n -= times;
        item += len + 1;
    }
    plus_to_space(word);
    sim_base_copy(ret, room, strcmp(word, "NOT_SURE") == 0 ? "NOT SURE" : word);
}
