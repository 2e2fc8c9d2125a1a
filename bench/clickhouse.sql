-- clickhouse: one MergeTree, a codec for each column. Names and ids lie in it as low-cardinality strings and uuids:
-- with 12 columns out this was faster than joining small tables, or dictionaries, to numbers. An insert reaches the
-- disk before it returns, as in Postgres. TABLE stands for the table's name.

CREATE TABLE bench.TABLE (
  series_id      UUID CODEC(ZSTD(3)),
  series_key     LowCardinality(String),
  unit           LowCardinality(String),
  valid_time     DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(3)),
  valid_time_end Nullable(DateTime64(6, 'UTC')) CODEC(DoubleDelta, ZSTD(3)),
  knowledge_time DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(3)),
  change_time    DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(3)),
  run_id         UUID CODEC(ZSTD(3)),
  value          Nullable(Float64) CODEC(Gorilla, ZSTD(3)),
  changed_by     LowCardinality(String),
  annotation     Nullable(String) CODEC(ZSTD(3)),
  tags           Array(LowCardinality(String)) CODEC(ZSTD(3))
) ENGINE = MergeTree
ORDER BY (series_id, valid_time, knowledge_time, change_time)
PARTITION BY toYYYYMM(valid_time)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
