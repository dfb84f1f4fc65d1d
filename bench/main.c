/* bench/main.c: what the goals measure inside one process: the product beside the engine alone, interleaved.
 *
 *   bench open DIR ROUNDS              S1, S3, S5: snapshot of a table, beside the engine's bare scan of its checkpoint when it has one
 *   bench refresh DIR COMMITS          S4: one commit appended, then the snapshot refreshed
 *   bench statistics DIR ROUNDS        S2: typed statistics of every column made, then used again
 *   bench travel DIR VERSION ROUNDS    S7: an older version beside the newest
 *   bench append DIR COMMITS DURABLE   W1: INSERT of 100 rows x 23 columns, one commit each
 *   bench floor DIR COMMITS            the durable put-if-absent alone, with two files a commit (data, log)
 *   bench copy FILE SELECT             W6: the engine's COPY of the rows to one file
 *   bench query LAKE TABLE ROUNDS      Q1: queries on a table, beside read_parquet over the same files
 *   bench compare LAKE ROUNDS SQL…     M5: statements in turn
 *   bench series LAKE ROUNDS SQL…      M1 to M6, W5: the same for statements that change something; {} is another number each round
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "open"))
        bench_open(argv[2], atoi(argv[3]));
    else if (argc == 4 && !strcmp(argv[1], "refresh"))
        bench_refresh(argv[2], atoi(argv[3]));
    else if (argc == 4 && !strcmp(argv[1], "statistics"))
        bench_statistics(argv[2], atoi(argv[3]));
    else if (argc == 5 && !strcmp(argv[1], "travel"))
        bench_travel(argv[2], atoll(argv[3]), atoi(argv[4]));
    else if (argc == 5 && !strcmp(argv[1], "append"))
        bench_append(argv[2], atoi(argv[3]), atoi(argv[4]));
    else if (argc == 4 && !strcmp(argv[1], "floor"))
        bench_floor(argv[2], atoi(argv[3]));
    else if (argc == 4 && !strcmp(argv[1], "copy"))
        bench_copy(argv[2], argv[3]);
    else if (argc == 5 && !strcmp(argv[1], "query"))
        bench_query(argv[2], argv[3], atoi(argv[4]));
    else if (argc >= 5 && !strcmp(argv[1], "compare"))
        bench_compare(argv[2], atoi(argv[3]), argv + 4, argc - 4);
    else if (argc >= 5 && !strcmp(argv[1], "series"))
        bench_series(argv[2], atoi(argv[3]), argv + 4, argc - 4);
    else {
        fprintf(stderr, "usage: see the head of bench/main.c\n");
        return 1;
    }
    return 0;
}
