-- Taking back: what was uploaded by mistake is shown no more, or again.

CREATE FUNCTION timedb.withdraw_run(
  run_id uuid, reason text DEFAULT NULL,
  OUT run_id uuid, OUT withdrawn_at timestamptz, OUT withdrawn_by text, OUT reason text
) RETURNS record
  AS 'MODULE_PATHNAME', 'withdraw_run_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.withdraw_run(uuid, text) IS
  'Takes a run back: from now on no read shows it, until restore_run. Nothing is deleted: as_of still shows it for moments before. Meanwhile update refuses it (55000). Of a run that is withdrawn nothing changes, and the answer tells since when it is, by whom and why. 42704 if there is no such run.';

CREATE FUNCTION timedb.restore_run(
  run_id uuid, reason text DEFAULT NULL,
  OUT run_id uuid, OUT withdrawn_at timestamptz, OUT restored_at timestamptz, OUT restored_by text, OUT reason text
) RETURNS record
  AS 'MODULE_PATHNAME', 'restore_run_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.restore_run(uuid, text) IS
  'Ends a withdrawal: from now on reads show the run again, with all that it had; as_of still leaves it out for moments in between. Of a run that is restored already nothing changes, and the answer tells since when it is, by whom and why. 42704 if there is no such run, 55000 if it was never withdrawn.';
