//! `timedb move-tenant`: from one of a router's servers to another. What is done at each is `crate::spread`.

use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use postgres::IsolationLevel;
use uuid::Uuid;

use crate::archive::{Table, arrival, summary, tables};
use crate::connection::Target;
use crate::interrupt;
use crate::progress::Progress;
use crate::spread::place::{Place, check_conninfo};
use crate::spread::router::{self, Router, Standing, State};
use crate::spread::{compare, copy};

/// Connects to the router, and to both servers directly; needs a superuser on each.
///
/// Reads go on all the time. Calls that write are refused while the tenant is copied and compared, with SQLSTATE 55P03, and may be
/// tried again. Nothing is erased where the tenant was before the router sends everybody to its new place. Whatever broke off, the
/// same command goes on, or begins the copy anew; --undo takes back what has not come so far.
#[derive(Args)]
pub struct MoveTenant {
    /// The tenant's id
    tenant: Uuid,
    /// Where to, in the words of the router's table: 'host=db4.example dbname=timedb'
    #[arg(long, value_name = "CONNINFO", required_unless_present = "undo")]
    to: Option<String>,
    /// Take back a move that broke off before the router's table named the new place
    #[arg(long, conflicts_with = "to")]
    undo: bool,
    /// How this command connects to where the tenant is [default: as the router's table has it, as the user of --dsn]
    #[arg(long, value_name = "DSN")]
    source_dsn: Option<String>,
    /// How this command connects to where it goes [default: as --to has it, as the user of --dsn]
    #[arg(long, value_name = "DSN")]
    target_dsn: Option<String>,
    /// How many seconds to wait for calls on the router that began before: of those that write, else nothing is moved; of those
    /// that read, before the tenant is erased at its old place
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    wait: u32,
    #[command(flatten)]
    target: Target,
}

/// What was done until the router has named the new place.
struct Moved {
    tables: Vec<Table>,
    refused: Duration,
}

impl MoveTenant {
    pub fn run(self) -> Result<()> {
        if let Some(to) = &self.to {
            check_conninfo(to)?;
        }
        let progress = Progress::begin("asking the router");
        let mut router = Router::connect(&self.target)?;
        let standing = router.standing(self.tenant)?;
        let Some(to) = &self.to else {
            return self.undo(&mut router, &standing, &progress);
        };
        let to = self.place_to_be(&mut router, to)?;
        match &standing.state {
            State::Settled if standing.at == to.conninfo => {
                bail!("the tenant {} is there already: {}", self.tenant, to.conninfo)
            }
            State::Settled => self.carry_out(router, &standing, to, &progress),
            State::Moving { to: Some(begun) } if *begun == to.conninfo => {
                self.begin_anew(router, &standing, to, &progress)
            }
            State::Moving { to: Some(begun) } => bail!(
                "the tenant is being moved to {begun}\nHINT:  --to with that goes on; --undo takes back what broke off."
            ),
            State::Moving { to: None } => bail!(
                "timedb_router.moved says that the tenant is being moved, and not where to\nHINT:  --undo takes it back."
            ),
            State::Leaving { .. } if standing.at == to.conninfo => self.leave(router, &standing, &progress),
            State::Leaving { from } => bail!(
                "the tenant has come to {}, and is not erased yet at {from}\nHINT:  --to with the first goes on with that.",
                standing.at
            ),
        }
    }

    /// By the name that the router has for it, where it has one: two names of one database would be two places to it.
    fn place_to_be(&self, router: &mut Router, conninfo: &str) -> Result<Place> {
        let mut place = Place::connect(conninfo, self.target_dsn.as_deref(), &router.user)?;
        let known = router.places()?;
        if !known.iter().any(|known| known == conninfo) {
            let is_it = |known: &&String| {
                let reached = router.reaches(known);
                reached.is_ok_and(|(identity, _)| identity.is_same_database(&place.identity))
            };
            if let Some(named) = known.iter().find(is_it) {
                place.conninfo.clone_from(named);
            }
        }
        Ok(place)
    }

    fn place_where_it_is(&self, conninfo: &str, user: &str) -> Result<Place> {
        Place::connect(conninfo, self.source_dsn.as_deref(), user)
    }

    /// Before anybody is refused anything: that nothing stands in the way.
    fn check(&self, router: &mut Router, from: &mut Place, to: &mut Place) -> Result<()> {
        if from.identity.is_same_database(&to.identity) {
            bail!("{} and {} are one database", from.conninfo, to.conninfo);
        }
        for place in [&*from, &*to] {
            if place.identity.timedb != router.version {
                bail!(
                    "at {} timedb is {}, and the router's is {}\nHINT:  ALTER EXTENSION … UPDATE; where the older one is.",
                    place.conninfo,
                    place.identity.timedb,
                    router.version
                );
            }
            let (reached, logs_parameters) = router.reaches(&place.conninfo)?;
            if reached != place.identity {
                bail!(
                    "by {} the router reaches another database than this command",
                    place.conninfo
                );
            }
            if logs_parameters {
                bail!(
                    "at {} keys would be in the server's log\nHINT:  log_parameter_max_length and log_parameter_max_length_on_error are to be 0 for the router's logins.",
                    place.conninfo
                );
            }
        }
        if from.occupied(self.tenant)?.is_none() {
            bail!("there is no tenant {} at {}", self.tenant, from.conninfo);
        }
        if let Some(table) = to.occupied(self.tenant)? {
            bail!(
                "the tenant {} is there already: {} has rows of it in timedb.{table}, and nobody is sent to them\nHINT:  Look what they are; timedb.erase_tenant() removes them there.",
                self.tenant,
                to.conninfo
            );
        }
        copy::check_columns(
            &copy::count(&mut from.client, self.tenant)?,
            &tables::columns(&mut to.client)?,
        )
    }

    fn carry_out(self, mut router: Router, standing: &Standing, mut to: Place, progress: &Progress) -> Result<()> {
        let mut from = self.place_where_it_is(&standing.at, &router.user)?;
        self.check(&mut router, &mut from, &mut to)?;
        let bindings = from.bindings(self.tenant)?;
        let held = interrupt::hold();
        let moved = self.move_it(&mut router, &mut from, &mut to, progress);
        let moved = moved.map_err(|error| self.put_back(error, progress))?;
        drop(held);
        let mut out = stdout().lock();
        writeln!(
            out,
            "Moved tenant {} to {}: {}",
            self.tenant,
            to.conninfo,
            summary(&moved.tables)
        )?;
        writeln!(
            out,
            "Calls that write were refused for {:.2} s.",
            moved.refused.as_secs_f64()
        )?;
        if !bindings.is_empty() {
            let bindings = bindings.join(", ");
            writeln!(
                out,
                "Left out: the bindings of roles ({bindings}). timedb.bind_role() makes them."
            )?;
        }
        out.flush()?;
        drop(out);
        interrupt::check()?;
        let standing = router.standing(self.tenant)?;
        self.leave(router, &standing, progress)
    }

    /// Up to the moment when the router sends everybody to the new place.
    fn move_it(&self, router: &mut Router, from: &mut Place, to: &mut Place, progress: &Progress) -> Result<Moved> {
        let tenant = self.tenant;
        let mut waiting = Router::connect(&self.target)?;
        router.begin(tenant, &from.conninfo, &to.conninfo)?;
        let begun = Instant::now();
        let held = router::hold(router, tenant, Some(&to.conninfo))?;
        progress.say("waiting for calls that write".to_owned());
        waiting.wait_for_writers(tenant, self.wait)?;
        let tables = self.copy(from, to, progress)?;
        interrupt::check()?;
        router::switch(held, tenant, &from.conninfo, &to.conninfo)?;
        Ok(Moved {
            tables,
            refused: begun.elapsed(),
        })
    }

    /// All of it, compared, or nothing.
    fn copy(&self, from: &mut Place, to: &mut Place, progress: &Progress) -> Result<Vec<Table>> {
        let tenant = self.tenant;
        let source = from.client.build_transaction();
        let mut source = source
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(false)
            .start()?;
        let tables = copy::count(&mut source, tenant)?;
        let moment: String = source.query_one("SELECT pg_catalog.now()::text", &[])?.get(0);
        let mut target = to.client.build_transaction().read_only(false).start()?;
        arrival::lock(&mut target, tenant)?;
        arrival::check_absent(&mut target, tenant)?;
        copy::rows(&mut source, &mut target, &tables, tenant, progress)?;
        arrival::check_keys(&mut target, tenant)?;
        compare::compare(&mut source, &mut target, &tables, tenant, progress)?;
        source.rollback()?;
        check_unchanged(&tables, &copy::count(&mut from.client, tenant)?)?;
        let detail = serde_json::json!({
            "exported_tenant": tenant.to_string(), "exported_at": moment, "keys": true, "moved": true,
        });
        arrival::record(&mut target, tenant, "import_tenant", &detail)?;
        interrupt::check()?;
        target.commit()?;
        Ok(tables)
    }

    /// What broke off is taken back, unless the router has named the new place, or cannot be asked.
    fn put_back(&self, error: Error, progress: &Progress) -> Error {
        // So that no statement of this is cancelled.
        interrupt::check().ok();
        let undone = Router::connect(&self.target).and_then(|mut router| {
            let standing = router.standing(self.tenant)?;
            match standing.state {
                State::Moving { .. } => self.take_back(&mut router, &standing, progress).map(|()| true),
                State::Leaving { .. } => Ok(false),
                State::Settled => Ok(true),
            }
        });
        match undone {
            Ok(true) => error.context("the tenant stays where it is, and nothing is lost"),
            Ok(false) => error.context("the tenant has moved; the same command erases it at its old place"),
            Err(why) => error.context(format!(
                "what broke off could not be taken back ({why:#}), and calls that write are refused until --undo or the same command",
            )),
        }
    }

    fn begin_anew(self, mut router: Router, standing: &Standing, to: Place, progress: &Progress) -> Result<()> {
        drop(to);
        self.take_back(&mut router, standing, progress)?;
        let standing = router.standing(self.tenant)?;
        let to = self.place_to_be(&mut router, self.to.as_deref().context("--to is needed")?)?;
        self.carry_out(router, &standing, to, progress)
    }

    fn undo(&self, router: &mut Router, standing: &Standing, progress: &Progress) -> Result<()> {
        match &standing.state {
            State::Settled => bail!("the tenant {} is not being moved", self.tenant),
            State::Leaving { from } => bail!(
                "the tenant has come to {} already\nHINT:  --to with that goes on with erasing it at {from}; it can be moved back then.",
                standing.at
            ),
            State::Moving { .. } => self.take_back(router, standing, progress)?,
        }
        writeln!(
            stdout(),
            "Taken back: tenant {} is at {}, and calls that write are taken.",
            self.tenant,
            standing.at
        )?;
        Ok(())
    }

    /// Erases what there is at the new place; then the tenant may write where it is.
    fn take_back(&self, router: &mut Router, standing: &Standing, progress: &Progress) -> Result<()> {
        let State::Moving { to } = &standing.state else {
            bail!("the tenant {} is not being moved", self.tenant);
        };
        let user = router.user.clone();
        let is_same = |place: &Place, router: &mut Router| -> Result<bool> {
            Ok(router.reaches(&standing.at)?.0.is_same_database(&place.identity))
        };
        let mut place = None;
        if let Some(to) = to {
            let there = Place::connect(to, self.target_dsn.as_deref(), &user)?;
            // Whatever --target-dsn says, never where the tenant is.
            if is_same(&there, router)? || !router.reaches(to)?.0.is_same_database(&there.identity) {
                bail!("{to} is not the database that this command has connected to");
            }
            place = Some(there);
        }
        let mut held = router::hold(router, self.tenant, to.as_deref())?;
        if let Some(place) = &mut place
            && place.occupied(self.tenant)?.is_some()
        {
            place.erase(self.tenant, progress)?;
        }
        router::settle(&mut held, self.tenant, standing)?;
        Ok(held.commit()?)
    }

    /// Erases the tenant where nobody is sent to any more.
    fn leave(self, mut router: Router, standing: &Standing, progress: &Progress) -> Result<()> {
        let State::Leaving { from } = &standing.state else {
            bail!("the router's row of the tenant is another's now");
        };
        let mut old = self.place_where_it_is(from, &router.user)?;
        let mut new = Place::connect(&standing.at, self.target_dsn.as_deref(), &router.user)?;
        let (reached, _) = router.reaches(&standing.at)?;
        if old.identity.is_same_database(&reached) || !new.identity.is_same_database(&reached) {
            bail!("{} is not the database that this command has connected to", standing.at);
        }
        if new.occupied(self.tenant)?.is_none() {
            bail!(
                "there is no tenant {} at {}: nothing is erased at {from}\nHINT:  If it has been erased since, timedb.erase_tenant() there ends it, and its row in timedb_router.moved may go.",
                self.tenant,
                standing.at
            );
        }
        progress.say("waiting for calls that read where the tenant was".to_owned());
        router.wait_for_readers(self.wait)?;
        if old.occupied(self.tenant)?.is_some() {
            let erased = old.erase(self.tenant, progress);
            erased.context(
                "the tenant has moved, and is not erased at its old place: the same command goes on with that",
            )?;
        }
        router.end(self.tenant, standing)?;
        writeln!(stdout(), "Erased at {from}.")?;
        Ok(())
    }
}

/// Who writes past the router is not refused, and is seen here. Values may have been packed meanwhile.
fn check_unchanged(copied: &[Table], now: &[Table]) -> Result<()> {
    for (table, now) in copied.iter().zip(now) {
        if !["values", "packs"].contains(&table.name.as_str()) && now.rows > table.rows {
            bail!(
                "the tenant is written to past the router: timedb.{} has {} rows, and {} were copied",
                table.name,
                now.rows,
                table.rows
            );
        }
    }
    Ok(())
}
