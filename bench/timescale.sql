-- timescale: lean.sql, and then its table of values as a hypertable.

CREATE EXTENSION IF NOT EXISTS timescaledb;
SELECT create_hypertable('timescale.values', 'valid_time', chunk_time_interval => interval '30 days');
