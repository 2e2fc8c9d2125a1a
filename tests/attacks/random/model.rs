//! A naive model of who is logged in, from the words of the decisions alone.
//!
//! Settings are transactional: each value of the session is covered by one of the transaction, and savepoints keep
//! copies of both. A refusal is not: it outlives the abort of the statement that was refused. What operators do is
//! felt at once, whatever transaction is open.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use super::operation::{Control, Cursor, Isolation, Key, Scope, Source, Tenant, USERS};

pub const KEY_NEEDED: (&str, &str) = ("28000", timedb_testkit::KEY_NEEDED);
pub const KEY_REFUSED: (&str, &str) = ("28000", timedb_testkit::KEY_REFUSED);
pub const WRITE_NEEDED: (&str, &str) = ("42501", "this needs an API key of scope \"write\"");
pub const ADMIN_NEEDED: (&str, &str) = ("42501", "this needs an API key of scope \"admin\"");
pub const ABSENT: (&str, &str) = ("42704", "does not exist");

/// Who the session acts for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    Nobody,
    /// A key that no longer stands.
    Refused,
    Acting {
        tenant: Tenant,
        scope: Scope,
        via: &'static str,
    },
}

/// What a source shows: rows, as text, or an error's SQLSTATE and message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sight {
    Rows(String),
    Error((&'static str, &'static str)),
}

/// Until when a login, or the refusal of one, lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    Session,
    Transaction,
}

#[derive(Clone, Copy, Debug)]
pub struct Login {
    key: usize,
    /// How many logins of this session had succeeded by then.
    number: usize,
}

/// What `timedb.api_key` holds.
#[derive(Clone, Copy, Debug)]
pub enum Credential {
    None,
    Bad,
    Key(usize),
}

/// A setting: its value for the session, and what covers that until the transaction ends.
#[derive(Clone, Copy, Debug)]
pub struct Layered<T> {
    session: T,
    local: Option<T>,
}

impl<T: Copy> Layered<T> {
    fn new(session: T) -> Self {
        Self { session, local: None }
    }

    pub fn value(&self) -> T {
        self.local.unwrap_or(self.session)
    }

    pub fn set(&mut self, value: T, span: Span) {
        match span {
            Span::Session => *self = Self::new(value),
            Span::Transaction => self.local = Some(value),
        }
    }
}

/// How many rows a tenant has; values are versions wherever they lie, points are values in their current version.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rows {
    pub series: usize,
    pub runs: usize,
    pub values: usize,
    pub points: usize,
}

impl AddAssign for Rows {
    fn add_assign(&mut self, more: Self) {
        self.series += more.series;
        self.runs += more.runs;
        self.values += more.values;
        self.points += more.points;
    }
}

/// What a rollback brings back.
#[derive(Clone, Debug)]
pub struct State {
    pub login: Layered<Option<Login>>,
    pub api_key: Layered<Credential>,
    pub in_request: Layered<bool>,
    pub rows: [Rows; 2],
    /// Whose rows the temporary table holds, if there is one.
    pub kept: Option<Option<Tenant>>,
    /// The cursors there are, by number.
    pub cursors: BTreeMap<Cursor, usize>,
    /// Keys and users that the attacker himself has ended, as an administrator.
    pub revoked: BTreeSet<usize>,
    pub inactive: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
pub struct Transaction {
    before: State,
    savepoints: Vec<(usize, State)>,
    pub isolation: Isolation,
    pub read_only: bool,
    pub aborted: bool,
    /// How many keys its snapshot shows.
    keys_shown: usize,
    /// It may hold locks on keys and users, which an operator would wait for.
    pub changed_keys: bool,
}

/// A failed login.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    /// How many logins had succeeded before: those are void, whatever brings them back.
    logins: usize,
    span: Span,
    /// Until somebody logs out: neither a key in the settings nor a binding counts.
    stands: bool,
}

/// A key as its table says.
#[derive(Clone, Copy, Debug)]
pub struct KeyRow {
    pub tenant: Tenant,
    pub user: usize,
    pub scope: Scope,
    pub revoked: bool,
    pub expired: bool,
}

#[derive(Debug)]
pub struct Model {
    pub keys: Vec<KeyRow>,
    pub active: [bool; USERS],
    pub binding: Option<(Tenant, Scope)>,
    /// Whether its role may select, or call only.
    pub selects: bool,
    pub now: State,
    pub transaction: Option<Transaction>,
    refusals: Vec<Refusal>,
    logins: usize,
    /// The key of the connection's options, which RESET ALL returns to.
    pub options: Credential,
    /// Whose rows a cursor has: those of the first FETCH, or of the commit that stored them.
    pub fetched: BTreeMap<usize, Option<Tenant>>,
    pub declared: usize,
    /// Numbers what is made, so that no name is used twice.
    pub made: usize,
    /// Whether the library is known to be loaded.
    pub loaded: bool,
}

impl Model {
    pub fn of(keys: Vec<KeyRow>, rows: [Rows; 2], selects: bool) -> Self {
        let now = State {
            login: Layered::new(None),
            api_key: Layered::new(Credential::None),
            in_request: Layered::new(false),
            rows,
            kept: None,
            cursors: BTreeMap::new(),
            revoked: BTreeSet::new(),
            inactive: BTreeSet::new(),
        };
        Self {
            keys,
            active: [true; USERS],
            binding: None,
            selects,
            now,
            transaction: None,
            refusals: Vec::new(),
            logins: 0,
            options: Credential::None,
            fetched: BTreeMap::new(),
            declared: 0,
            made: 0,
            loaded: false,
        }
    }

    /// The connection has a key in its options.
    pub fn connect_with(&mut self, key: Key) {
        self.options = self.credential(key);
        self.reset_key();
    }

    pub fn is_aborted(&self) -> bool {
        self.transaction.as_ref().is_some_and(|open| open.aborted)
    }

    pub fn is_read_only(&self) -> bool {
        self.transaction.as_ref().is_some_and(|open| open.read_only)
    }

    pub fn in_request(&self) -> bool {
        self.now.in_request.value()
    }

    pub fn who(&self) -> Who {
        match self.now.login.value() {
            Some(login) if self.is_void(login) => Who::Nobody,
            Some(login) => self.of_key(login.key),
            None if self.refusals.iter().any(|refusal| refusal.stands) => Who::Nobody,
            None => match self.now.api_key.value() {
                Credential::Key(key) => self.of_key(key),
                Credential::Bad => Who::Refused,
                Credential::None => self.of_binding(),
            },
        }
    }

    /// The key it acts with.
    pub fn own_key(&self) -> Option<usize> {
        let Who::Acting { via: "key", .. } = self.who() else {
            return None;
        };
        match (self.now.login.value(), self.now.api_key.value()) {
            (Some(login), _) => Some(login.key),
            (None, Credential::Key(key)) => Some(key),
            (None, _) => None,
        }
    }

    fn is_void(&self, login: Login) -> bool {
        self.refusals.iter().any(|refusal| login.number <= refusal.logins)
    }

    fn of_key(&self, key: usize) -> Who {
        if !self.stands(key) {
            return Who::Refused;
        }
        let KeyRow { tenant, scope, .. } = self.keys[key];
        Who::Acting {
            tenant,
            scope,
            via: "key",
        }
    }

    /// `authenticate` looks a key up with the transaction's snapshot: one made later is nobody's.
    pub fn is_shown(&self, key: usize) -> bool {
        let shown = self.transaction.as_ref().map(|open| open.keys_shown);
        shown.is_none_or(|shown| key < shown)
    }

    pub fn stands(&self, key: usize) -> bool {
        let row = &self.keys[key];
        let revoked = row.revoked || self.now.revoked.contains(&key);
        let active = self.active[row.user] && !self.now.inactive.contains(&row.user);
        active && !revoked && !row.expired
    }

    fn of_binding(&self) -> Who {
        match self.binding {
            None => Who::Nobody,
            Some((tenant, scope)) => Who::Acting {
                tenant,
                scope,
                via: "role",
            },
        }
    }

    pub fn tenant(&self) -> Option<Tenant> {
        match self.who() {
            Who::Acting { tenant, .. } => Some(tenant),
            _ => None,
        }
    }

    /// Who acts with at least the scope, or the error that says why nobody does.
    pub fn required(&self, needed: Scope) -> Result<Tenant, (&'static str, &'static str)> {
        match self.who() {
            Who::Nobody => Err(KEY_NEEDED),
            Who::Refused => Err(KEY_REFUSED),
            Who::Acting { tenant, scope, .. } if scope >= needed => Ok(tenant),
            Who::Acting { .. } if needed == Scope::Write => Err(WRITE_NEEDED),
            Who::Acting { .. } => Err(ADMIN_NEEDED),
        }
    }

    /// What a source shows: exactly the tenant's rows, or none.
    pub fn sight(&self, source: Source) -> Sight {
        match source {
            Source::Series => self.relation(|rows| rows.series, ""),
            Source::Runs => self.relation(|rows| rows.runs, ""),
            Source::Values => self.relation(|rows| rows.values, ""),
            Source::CurrentValues => self.relation(|rows| rows.points, "of"),
            Source::ListSeries => self.function(|rows| rows.series, ""),
            Source::ReadFlat | Source::ReadOverlapping => self.function(|rows| rows.points, "of"),
            Source::ReadVersions => self.function(|rows| rows.values, "of"),
            Source::Versions => self.relation(|rows| rows.values, "of"),
            Source::ReadArrow | Source::ReadArrowBatches => match self.required(Scope::Read) {
                Ok(tenant) => Sight::Rows(letter(tenant).into()),
                Err(error) => Sight::Error(error),
            },
            Source::ListUsers | Source::ListKeys | Source::ListAudit => match self.required(Scope::Admin) {
                Ok(tenant) => Sight::Rows(letter(tenant).into()),
                Err(error) => Sight::Error(error),
            },
        }
    }

    fn relation(&self, count: impl Fn(&Rows) -> usize, values: &str) -> Sight {
        match self.tenant() {
            None => Sight::Rows("0".into()),
            Some(tenant) => self.counted(tenant, count, values),
        }
    }

    fn function(&self, count: impl Fn(&Rows) -> usize, values: &str) -> Sight {
        match self.required(Scope::Read) {
            Err(error) => Sight::Error(error),
            Ok(tenant) => self.counted(tenant, count, values),
        }
    }

    /// Rows by name and, where values come with them, by value too.
    fn counted(&self, tenant: Tenant, count: impl Fn(&Rows) -> usize, values: &str) -> Sight {
        let rows = count(&self.now.rows[tenant as usize]);
        let letter = letter(tenant);
        let owner = if values.is_empty() {
            letter.to_owned()
        } else {
            format!("{letter}{letter}")
        };
        Sight::Rows(format!("{rows} {owner}"))
    }

    /// A login that has succeeded.
    pub fn log_in(&mut self, key: usize, span: Span) {
        self.logins += 1;
        let login = Login {
            key,
            number: self.logins,
        };
        self.now.login.set(Some(login), span);
    }

    /// A login that has failed: nobody is logged in.
    pub fn refuse(&mut self, span: Span) {
        self.refusals.push(Refusal {
            logins: self.logins,
            span,
            stands: true,
        });
    }

    pub fn log_out(&mut self) {
        self.forget_refusals();
        self.now.login.set(None, Span::Session);
    }

    pub fn reset_all(&mut self) {
        self.forget_refusals();
        self.now.login.set(None, Span::Session);
        self.now.api_key.set(self.options, Span::Session);
        self.now.in_request.set(false, Span::Session);
    }

    pub fn reset_key(&mut self) {
        self.now.api_key.set(self.options, Span::Session);
    }

    /// Logins from before a refusal stay void: a rollback may still bring them back.
    fn forget_refusals(&mut self) {
        for refusal in &mut self.refusals {
            refusal.stands = false;
        }
    }

    pub fn begin(&mut self, isolation: Isolation, read_only: bool) {
        let keys_shown = match isolation {
            Isolation::ReadCommitted => usize::MAX,
            _ => self.keys.len(),
        };
        self.transaction = Some(Transaction {
            before: self.now.clone(),
            keys_shown,
            savepoints: Vec::new(),
            isolation,
            read_only,
            aborted: false,
            changed_keys: false,
        });
    }

    pub fn savepoint(&mut self, name: usize) {
        let now = self.now.clone();
        if let Some(open) = &mut self.transaction {
            open.savepoints.push((name, now));
        }
    }

    /// Whether there was a savepoint of that name.
    pub fn roll_back_to(&mut self, name: usize) -> bool {
        let Some((open, place)) = self.find_savepoint(name) else {
            return false;
        };
        open.savepoints.truncate(place + 1);
        open.aborted = false;
        let then = open.savepoints[place].1.clone();
        self.now = then;
        true
    }

    pub fn release(&mut self, name: usize) -> bool {
        let Some((open, place)) = self.find_savepoint(name) else {
            return false;
        };
        open.savepoints.truncate(place);
        true
    }

    fn find_savepoint(&mut self, name: usize) -> Option<(&mut Transaction, usize)> {
        let open = self.transaction.as_mut()?;
        let place = open.savepoints.iter().rposition(|(other, _)| *other == name)?;
        Some((open, place))
    }

    pub fn commit(&mut self, chain: bool) {
        if self.is_aborted() {
            return self.roll_back(chain);
        }
        self.store_held_cursors();
        self.end(chain);
    }

    /// A cursor WITH HOLD that nobody has fetched from is filled at commit, before anything local ends.
    pub fn store_held_cursors(&mut self) {
        let tenant = self.tenant();
        self.now.cursors.retain(|cursor, _| *cursor == Cursor::Held);
        for number in self.now.cursors.values() {
            self.fetched.entry(*number).or_insert(tenant);
        }
    }

    pub fn roll_back(&mut self, chain: bool) {
        if let Some(open) = &self.transaction {
            self.now = open.before.clone();
        }
        self.end(chain);
    }

    fn end(&mut self, chain: bool) {
        let ended = self.transaction.take();
        self.end_local();
        match ended.filter(|_| chain) {
            None => {}
            Some(ended) if ended.aborted => self.begin(Isolation::ReadCommitted, false),
            Some(ended) => self.begin(ended.isolation, ended.read_only),
        }
    }

    /// What was local to the transaction ends with it; outside a block, with its statement.
    pub fn end_local(&mut self) {
        if self.transaction.is_some() {
            return;
        }
        self.now.login.local = None;
        self.now.api_key.local = None;
        self.now.in_request.local = None;
        self.refusals.retain(|refusal| refusal.span == Span::Session);
    }

    /// A statement has failed: outside a block it has changed nothing.
    pub fn fail(&mut self) {
        if let Some(open) = &mut self.transaction {
            open.aborted = true;
        }
    }

    /// What lies behind a rollback, and now.
    pub fn every_state(&mut self) -> impl Iterator<Item = &mut State> {
        let behind = self.transaction.iter_mut().flat_map(|open| {
            let savepoints = open.savepoints.iter_mut().map(|(_, state)| state);
            savepoints.chain([&mut open.before])
        });
        behind.chain([&mut self.now])
    }

    /// An operator would wait for the attacker's transaction, which waits for nobody.
    pub fn would_block(&self, control: &Control) -> bool {
        let on_a_key_or_user = !matches!(control, Control::NewKey(..) | Control::Bind(..) | Control::Unbind);
        let changed_keys = |open: &Transaction| open.changed_keys;
        on_a_key_or_user && self.transaction.as_ref().is_some_and(changed_keys)
    }
}

pub fn letter(tenant: Tenant) -> &'static str {
    match tenant {
        Tenant::A => "a",
        Tenant::B => "b",
    }
}
