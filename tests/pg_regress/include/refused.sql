\set ECHO none
-- pg_temp.refused(statement): the error that a statement ends with, as a row.
CREATE FUNCTION pg_temp.refused(statement text, OUT code text, OUT message text)
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  message := 'not refused';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
END
$$;
\set ECHO all
