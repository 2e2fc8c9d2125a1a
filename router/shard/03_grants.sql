-- Owners and grants, from nothing.

REVOKE ALL ON ALL ROUTINES IN SCHEMA timedb_shard FROM PUBLIC;
GRANT USAGE ON SCHEMA timedb_shard TO timedb_router_caller, timedb_router_admin;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA timedb_shard TO timedb_router_caller;
REVOKE EXECUTE ON FUNCTION timedb_shard.find_user(text, uuid, uuid), timedb_shard.act_for(text) FROM timedb_router_caller;
GRANT EXECUTE ON FUNCTION timedb_shard.identity(), timedb_shard.find_user(text, uuid, uuid), timedb_shard.act_for(text)
  TO timedb_router_admin;
