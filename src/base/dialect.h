/* base/dialect.h: the kinds of rows in dialect.def, the table of Spark's functions.  sql spells their calls, engine makes them. */
#ifndef VARVE_DIALECT_H
#define VARVE_DIALECT_H

enum dialect_kind {
    DIALECT_MACRO,
    DIALECT_OVER,
    DIALECT_NATIVE,
    DIALECT_NATIVE_OVER,
    DIALECT_PART,
    DIALECT_NATIVE_PART,
    DIALECT_OPERATOR,
    DIALECT_ALIAS,
    DIALECT_FORM,
    DIALECT_SAME,
    DIALECT_DIFFERS
};
/* What stands before a name of Spark's that means something else to the engine. */
#define DIALECT_PREFIX "spark_"

#endif
