/* Writes BYTES of lines, one write(2) of LINE bytes each; its own wall seconds go to a file.
 * flood BYTES LINE FILE */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    long long left = atoll(argv[1]);
    size_t size = (size_t)atol(argv[2]);
    char *line = malloc(size);
    memset(line, 'x', size);
    for (size_t at = 99; at < size; at += 100)
        line[at] = '\n';
    line[size - 1] = '\n';
    double began = now();
    while (left > 0) {
        ssize_t done = write(1, line, size);
        if (done < 0)
            return 1;
        left -= done;
    }
    double took = now() - began;
    FILE *file = fopen(argv[3], "w");
    return file == NULL || fprintf(file, "%.6f\n", took) < 0 || fclose(file) != 0;
}
