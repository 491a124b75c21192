#include "bw_webdriver_error.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

static const struct {
    const char *word;
    enum wd_error means;
} WORDS[] = {
    {"invalid session id", WD_ERROR_GONE},
    {"no such window", WD_ERROR_LOST},
    {"tab crashed", WD_ERROR_LOST},
    {"disconnected", WD_ERROR_LOST},
    {"chrome not reachable", WD_ERROR_LOST},
    {"element click intercepted", WD_ERROR_HEALS},
    {"element not interactable", WD_ERROR_HEALS},
    {"stale element reference", WD_ERROR_HEALS},
    {"detached shadow root", WD_ERROR_HEALS},
    {"invalid element state", WD_ERROR_HEALS},
    {"no such element", WD_ERROR_HEALS},
    {"move target out of bounds", WD_ERROR_HEALS},
    {"timeout", WD_ERROR_LATE},
    {"script timeout", WD_ERROR_LATE},
    {"unexpected alert open", WD_ERROR_DIALOG},
    {"session not created", WD_ERROR_NOT_CREATED},
    {"invalid argument", WD_ERROR_REFUSED},
    {"invalid selector", WD_ERROR_REFUSED},
    {"insecure certificate", WD_ERROR_REFUSED},
    {"javascript error", WD_ERROR_REFUSED},
    {"unknown command", WD_ERROR_REFUSED},
    {"unknown method", WD_ERROR_REFUSED},
    {"unsupported operation", WD_ERROR_REFUSED},
};

static bool says(const char *message, const char *const *texts)
{
    for (; *texts; texts++)
        if (strstr(message, *texts))
            return true;
    return false;
}

static enum wd_error of_message(const char *message)
{
    static const char *const LOST[] = {"not connected to DevTools",
                                       "session deleted",
                                       "chrome not reachable",
                                       "disconnected: ",
                                       "tab crashed",
                                       NULL};

    if (strstr(message, "net::ERR_"))
        return WD_ERROR_SITE;
    return says(message, LOST) ? WD_ERROR_LOST : WD_ERROR_OTHER;
}

enum wd_error bw_webdriver_error(const char *word, const char *message)
{
    static const char *const NEVER[] = {"only supports Chrome version", "no chrome binary",
                                        "cannot find Chrome binary", NULL};

    if (str_equal(word, "unknown error"))
        return of_message(message);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (str_equal(WORDS[i].word, word)) {
            bool never = WORDS[i].means == WD_ERROR_NOT_CREATED && says(message, NEVER);
            return never ? WD_ERROR_REFUSED : WORDS[i].means;
        }
    return WD_ERROR_OTHER;
}
