/*
 * replay - runs a fuzz target over a stored corpus, where there is no libFuzzer.
 *
 * Takes files and folders.  What once broke a decoder lies in tests/fuzz/corpus/<target>/ and is
 * tried again by every ordinary test run.  Without arguments the target still sees an empty input.
 */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { INPUT_MAX = 1 << 20 };

static void replay_file(const char *path)
{
    FILE *f       = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_MAX);

    if (!f || !data) {
        perror(path);
        exit(1);
    }
    size_t len     = fread(data, 1, INPUT_MAX, f);
    uint8_t *exact = realloc(data, len ? len : 1); /* so that ASan sees a read past the end */
    fprintf(stderr, "%s: %zu bytes\n", path, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    fclose(f);
}

static void replay(const char *path)
{
    DIR *dir = opendir(path);

    if (!dir) {
        replay_file(path);
        return;
    }
    for (struct dirent *d; (d = readdir(dir));) {
        char file[PATH_MAX];

        if (d->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, d->d_name);
        replay_file(file);
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    return 0;
}
