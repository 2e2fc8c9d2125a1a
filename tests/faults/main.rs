//! What no failure may take, and no crowd: servers and backends that are killed, disks that are full, many clients at once on
//! the same series. Each test has a server of its own. `TIMEDB_SEED` replays the choices of one run, which each test tells;
//! what the machine made of them, which moment a kill hit, is not in it.

mod crashes;
mod full;
mod history;
mod model;
mod record;
mod seed;
mod whole;
