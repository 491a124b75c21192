#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

enum { FIGURES_MAX = 64 };

static struct bench_figure figures[FIGURES_MAX];
static size_t count;

void bench_figure(const char *name, const char *unit, double value, double floor)
{
    if (count < FIGURES_MAX)
        figures[count++] = (struct bench_figure){name, unit, value, floor};
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double bench_quantile(double *samples, size_t n, double q)
{
    if (n == 0)
        return 0;
    qsort(samples, n, sizeof *samples, by_value);
    return samples[(size_t)(q * (double)(n - 1))];
}

void bench_report(const char *path)
{
    json_t *list = json_array();

    printf("\n%-46s %12s  %-6s %12s %8s\n", "figure", "value", "unit", "floor", "ratio");
    for (size_t i = 0; i < count; i++) {
        const struct bench_figure *f = &figures[i];
        json_t *one                  = json_object();

        json_object_set_new(one, "figure", json_string(f->name));
        json_object_set_new(one, "value", json_real(f->value));
        json_object_set_new(one, "unit", json_string(f->unit));
        json_object_set_new(one, "floor", f->floor > 0 ? json_real(f->floor) : json_null());
        json_object_set_new(one, "ratio",
                            f->floor > 0 ? json_real(f->value / f->floor) : json_null());
        json_object_set_new(one, "goal", json_null());
        json_object_set_new(one, "met", json_null());
        json_array_append_new(list, one);
        if (f->floor > 0)
            printf("%-46s %12.2f  %-6s %12.2f %8.2f\n", f->name, f->value, f->unit, f->floor,
                   f->value / f->floor);
        else
            printf("%-46s %12.2f  %-6s %12s %8s\n", f->name, f->value, f->unit, "", "");
    }
    if (json_dump_file(list, path, JSON_INDENT(1)) == 0)
        printf("\nalso in %s\n", path);
    json_decref(list);
}
