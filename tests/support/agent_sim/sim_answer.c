#include "agent_sim/sim_answer.h"

#include <jansson.h>
#include <stdio.h>

#include "agent_sim/sim_base.h"
#include "agent_sim/sim_clock.h"

static const struct {
    int status;
    const char *reason;
} REASONS[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {422, "Unprocessable Entity"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const char *sim_answer_reason(int status)
{
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++)
        if (REASONS[i].status == status)
            return REASONS[i].reason;
    return "Status";
}

static void put_retry(struct sim_buf *out, const struct sim_plan *plan)
{
    char date[32];

    switch (plan->retry) {
    case SIM_PLAN_RETRY_NONE:
        return;
    case SIM_PLAN_RETRY_SECONDS:
        sim_buf_printf(out, "Retry-After: %ld\r\n", plan->retry_after_s);
        return;
    case SIM_PLAN_RETRY_DATE:
        sim_clock_http_date(date, sim_clock_now(), plan->retry_after_s);
        sim_buf_printf(out, "Retry-After: %s\r\n", date);
        return;
    case SIM_PLAN_RETRY_RAW:
        sim_buf_printf(out, "Retry-After: %s\r\n", plan->retry_raw);
        return;
    }
}

void sim_answer_put_head(struct sim_buf *out, const struct sim_answer_head *head)
{
    char date[32];

    sim_clock_http_date(date, sim_clock_now(), 0);
    sim_buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n", head->status,
                   sim_answer_reason(head->status), date, head->type);
    if (head->plan) {
        put_retry(out, head->plan);
        sim_buf_printf(out, "%s", head->plan->headers);
    }
    if (head->len == SIM_ANSWER_CHUNKED)
        sim_buf_printf(out, "Transfer-Encoding: chunked\r\n\r\n");
    else
        sim_buf_printf(out, "Content-Length: %zu\r\n\r\n", head->len);
}

/* Three shapes, as multion-api.md 4 has them: the typed errors of browse, the list of a
   validation error, and for all others what the frameworks under such services send. */
char *sim_answer_error(int status, const char *text)
{
    json_t *body = NULL;

    if (status == 422)
        body = json_pack("{s:[{s:[s],s:s,s:s}]}", "detail", "loc", "body", "msg", text, "type",
                         "value_error");
    else if (status <= 402 || status == 429 || status == 500)
        body = json_pack("{s:i,s:s,s:s}", "statusCode", status, "error",
                         sim_answer_reason(status), "message", text);
    else
        body = json_pack("{s:s}", "detail", text);

    char *rendered = json_dumps(body, JSON_COMPACT);

    json_decref(body);
    must(rendered);
    return rendered;
}

char *sim_answer_html(int status)
{
    struct sim_buf html = {0};

    sim_buf_printf(&html,
                   "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s"
                   "</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
                   status, sim_answer_reason(status), status, sim_answer_reason(status));
    return html.data; /* printf ended it */
}
