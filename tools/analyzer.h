/* What clang's analyzer, which sees one file at a time, cannot know: these never return STATUS_OK.  tools/check.sh includes it before each source. */
#include "base/base.h"

#define error_set(...) (error_set(__VA_ARGS__) ?: STATUS_INTERNAL)
#define error_set_errno(...) (error_set_errno(__VA_ARGS__) ?: STATUS_INTERNAL)
#define error_oom(err) (error_oom(err) ?: STATUS_INTERNAL)
#define error_hint(...) (error_hint(__VA_ARGS__) ?: STATUS_INTERNAL)
#define error_detail(...) (error_detail(__VA_ARGS__) ?: STATUS_INTERNAL)
#define error_context(...) (error_context(__VA_ARGS__) ?: STATUS_INTERNAL)
