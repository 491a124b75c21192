#include "run/run_flow.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void flow_free(struct flow **slot)
{
    struct flow *f = take(slot);

    if (!f)
        return;
    json_free(&f->doc);
    mem_free(&f->steps);
    mem_free(&f);
}

const struct flow_step *flow_find(const struct flow *flow, const char *id)
{
    for (size_t i = 0; id && i < flow->step_count; i++)
        if (str_equal(flow->steps[i].id, id))
            return &flow->steps[i];
    return NULL;
}

const struct flow_step *flow_first(const struct flow *flow)
{
    return flow->step_count ? &flow->steps[0] : NULL;
}

static bool place_among(const struct flow_step *first, const struct flow_step *step,
                        size_t *ret)
{
    size_t n = 0;

    for (; first && first != step; first = first->next)
        n++;
    *ret = n;
    return first != NULL;
}

void flow_pointer(const struct flow *flow, const struct flow_step *step, const char *at,
                  char *to, size_t size)
{
    const struct flow_step *parent = step->parent;
    char above[FLOW_POINTER_SIZE];
    size_t n = 0;

    if (!parent) {
        (void)place_among(flow_first(flow), step, &n);
        str_format(to, size, "%s/steps/%zu", at, n);
        return;
    }
    bool then =
        place_among(parent->then_first, step, &n) || !place_among(parent->else_first, step, &n);
    flow_pointer(flow, parent, at, above, sizeof above);
    str_format(to, size, "%s/%s/%zu", above, then ? "then" : "else", n);
}

const struct flow_step *flow_after(const struct flow *flow, const struct flow_step *step,
                                   const char *branch, const char *go_to)
{
    if (go_to && *go_to)
        return flow_find(flow, go_to);
    if (str_equal(branch, "then") && step->then_first)
        return step->then_first;
    if (str_equal(branch, "else") && step->else_first)
        return step->else_first;
    while (step && !step->next)
        step = step->parent;
    return step ? step->next : NULL;
}

const char *flow_nearest_step(const struct flow *flow, const char *id)
{
    const char *words[FLOW_STEPS_MAX + 1];

    for (size_t i = 0; i < flow->step_count; i++)
        words[i] = flow->steps[i].id;
    words[flow->step_count] = NULL;
    return str_nearest(id, words);
}

bool flow_needs_session(const struct flow_step *step)
{
    if (step->verb == VERB_BROWSE)
        return true;
    return step->verb == VERB_RETRIEVE && !json_get(step->body, "url");
}

const struct flow_step *flow_open_before(const struct flow *flow, const struct flow_step *step)
{
    for (size_t i = step->at; i-- > 0;)
        if (flow->steps[i].verb == VERB_OPEN)
            return &flow->steps[i];
    return NULL;
}

const struct flow_step *flow_restart_before(const struct flow *flow,
                                            const struct flow_step *step)
{
    for (size_t i = step->at + 1; i-- > 0;)
        if (flow->steps[i].restart || flow->steps[i].verb == VERB_OPEN)
            return &flow->steps[i];
    return NULL;
}

const char *run_flow_token(const char *flow_name, char *at, size_t size)
{
    size_t len = strcspn(flow_name, "@");

    str_copy_n(at, size, flow_name, len);
    return at;
}
