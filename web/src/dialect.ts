/* The words of the dialect beyond what the editor's standard SQL knows. */
import { SQLDialect } from "@codemirror/lang-sql";

const KEYWORDS = `
select from where group by having order limit offset with recursive as distinct all union except intersect join inner left right full outer cross natural using on asof semi anti lateral
case when then else end and or not in is null like ilike between exists any some cast try_cast qualify window over partition rows range groups preceding following unbounded current row exclude
filter within asc desc nulls first last values insert into overwrite table create replace external schema schemas database databases catalog catalogs if drop alter set unset add column columns after
comment location tblproperties partitioned delta copy fileformat format_options copy_options describe desc history detail extended show tables explain analyze use version timestamp of at
pivot unpivot sample tablesample view restrict cascade csv json parquet true false positional summarize interval date time default primary key constraint check`;

const TYPES = `
boolean tinyint smallint int integer bigint hugeint float real double decimal numeric string varchar char text binary blob date timestamp timestamp_ntz timestamptz struct map array list byte short long`;

const FUNCTIONS = `
abs arg_max arg_min avg bool_and bool_or ceil coalesce concat corr count covar_pop covar_samp cume_dist current_date current_timestamp date_add date_diff date_part date_sub date_trunc dense_rank
epoch exp extract first_value floor format greatest hash histogram ifnull kurtosis lag last_value lead least length list listagg ln log lower ltrim mad max max_by md5 median min min_by mode mod
month nth_value ntile nullif percent_rank pow power product quantile quantile_cont quantile_disc rank regexp_extract regexp_matches regexp_replace replace reverse round row_number rtrim sign
skewness split_part sqrt stddev stddev_pop stddev_samp string_agg strftime strptime substring sum time_bucket to_timestamp trim unnest upper var_pop var_samp week year`;

const words = (text: string): string => text.trim().split(/\s+/).join(" ");

export const varveSql = SQLDialect.define({
  keywords: words(KEYWORDS),
  types: words(TYPES),
  builtin: words(FUNCTIONS),
  identifierQuotes: '`"',
  doubleDollarQuotedStrings: true,
  operatorChars: "*+-%<>!=&|~^/@",
  spaceAfterDashes: false,
  slashComments: false,
  hashComments: false,
  caseInsensitiveIdentifiers: true,
});
