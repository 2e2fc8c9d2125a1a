-- classic: how the original service stored it. A row per value, uuid ids, eight indexes.

CREATE SCHEMA classic;

CREATE TABLE classic.runs (
  run_id         uuid PRIMARY KEY,
  tenant_id      uuid NOT NULL,
  workflow_id    text NOT NULL,
  run_start_time timestamptz NOT NULL,
  known_time     timestamptz NOT NULL,
  inserted_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE classic.series (
  series_id  uuid PRIMARY KEY,
  tenant_id  uuid NOT NULL,
  series_key text NOT NULL,
  unit       text NOT NULL,
  UNIQUE (tenant_id, series_key)
);

CREATE TABLE classic.values (
  value_id       bigserial PRIMARY KEY,
  run_id         uuid NOT NULL,
  tenant_id      uuid NOT NULL,
  series_id      uuid NOT NULL,
  valid_time     timestamptz NOT NULL,
  valid_time_end timestamptz,
  value          double precision,
  annotation     text,
  tags           text[],
  changed_by     text,
  change_time    timestamptz NOT NULL DEFAULT now(),
  is_current     boolean NOT NULL DEFAULT true
);
CREATE UNIQUE INDEX values_current_key ON classic.values
  (run_id, tenant_id, valid_time, coalesce(valid_time_end, valid_time), series_id) WHERE is_current;
CREATE INDEX values_valid_time_idx ON classic.values (valid_time);
CREATE INDEX values_span_idx ON classic.values (valid_time, coalesce(valid_time_end, valid_time));
CREATE INDEX values_current_idx ON classic.values
  (run_id, tenant_id, series_id, valid_time, valid_time_end) WHERE is_current;
CREATE INDEX values_run_idx ON classic.values (run_id, tenant_id, valid_time, valid_time_end);
CREATE INDEX values_series_idx ON classic.values (series_id);
CREATE INDEX values_tags_idx ON classic.values USING gin (tags);
