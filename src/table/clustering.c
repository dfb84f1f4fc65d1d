/* table/clustering.c: ALTER TABLE … CLUSTER BY (protocol: "Clustered Table"). */
#include "table/table_int.h"

enum { CLUSTERING_COLUMNS_MAX = 4 };

enum status table_cluster_by(struct ctx *ctx, struct catalog_table *t, const struct sql_path *paths, uint32_t count, struct table_change *out,
                             struct error *err)
{
    (void)ctx;
    (void)paths;
    (void)count;
    *out = (struct table_change){.version = -1};
    error_set(err, STATUS_UNSUPPORTED_FEATURE, "table \"%s\" cannot be clustered: the table feature \"clustering\" is not supported", t->qualified_name);
    return error_hint(err, "use PARTITIONED BY when the table is created");
}
