//! What an attacker and the operators do, at random. Every operation may come at any moment: the model says what it
//! then comes to, so that a sequence stays one when a part of it is taken out.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One of the two tenants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tenant {
    A,
    B,
}

pub const TENANTS: [Tenant; 2] = [Tenant::A, Tenant::B];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    Read,
    Write,
    Admin,
}

/// The key that is presented.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// One that has been made, whether or not it still stands.
    Made(Index),
    /// Well formed, but nobody's.
    Unknown,
    Malformed,
    Null,
}

/// How `authenticate` is called; `pre_request` only plainly, caught or undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Plainly,
    /// The key bound as a parameter.
    Bound,
    /// By EXECUTE of a statement prepared once.
    Prepared,
    /// In a function with SET clauses, one of them on `timedb.api_key`.
    Function,
    /// In a SECURITY DEFINER function of a superuser.
    Definer,
    /// In a block that catches whatever goes wrong.
    Caught,
    /// In a block that then fails, and is caught.
    Undone,
    /// In one message with a statement that fails.
    Failed,
    /// In a DO block that then commits.
    Committed,
    /// In a DO block that then rolls back.
    RolledBack,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isolation {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// Something that shows a tenant's rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    Series,
    Runs,
    /// The rows of values and of packs together: compact moves them from one to the other.
    Values,
    CurrentValues,
    Versions,
    ListSeries,
    ReadFlat,
    ReadOverlapping,
    ReadVersions,
    ReadArrow,
    ReadArrowBatches,
    ListUsers,
    ListKeys,
    ListAudit,
}

pub const RELATIONS: [Source; 5] = [
    Source::Series,
    Source::Runs,
    Source::Values,
    Source::CurrentValues,
    Source::Versions,
];

pub const FUNCTIONS: [Source; 9] = [
    Source::ListSeries,
    Source::ReadFlat,
    Source::ReadOverlapping,
    Source::ReadVersions,
    Source::ReadArrow,
    Source::ReadArrowBatches,
    Source::ListUsers,
    Source::ListKeys,
    Source::ListAudit,
];

/// A cursor: closed by the end of its transaction, or WITH HOLD.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cursor {
    Plain,
    Held,
}

/// What a tenant may do to data through the API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Write {
    /// One value of a new series.
    Upload,
    CreateSeries,
    /// One value more of the tenant's series, by its id.
    UploadTo(Tenant),
    /// A new version of the tenant's value.
    Update(Tenant),
    /// One value of a new series, as an Arrow stream.
    UploadArrow,
    /// One value more of the tenant's series, by its id, as an Arrow stream.
    UploadArrowTo(Tenant),
    /// Packs what there is: all of it, or the tenant's series.
    Compact(Option<Tenant>),
}

/// What an admin key may do to its own tenant, and to no other.
#[derive(Clone, Copy, Debug)]
pub enum Manage {
    Revoke(Index),
    Deactivate(usize),
}

/// What the operators do meanwhile, in sessions of their own.
#[derive(Clone, Copy, Debug)]
pub enum Control {
    Revoke(Index),
    Expire(Index),
    /// Neither revoked nor expired any more.
    Restore(Index),
    Deactivate(usize),
    Activate(usize),
    NewKey(usize, Scope),
    Bind(Tenant, Scope),
    Unbind,
}

/// Where transactions and parts of them begin and end.
#[derive(Clone, Copy, Debug)]
pub enum Boundary {
    Begin { isolation: Isolation, read_only: bool },
    Savepoint(usize),
    RollbackTo(usize),
    Release(usize),
    Commit { chain: bool },
    Rollback { chain: bool },
    Fail,
}

/// What changes settings, beside the functions that log in and out.
#[derive(Clone, Copy, Debug)]
pub enum Setting {
    /// In a DO block or by itself.
    ResetAll {
        in_block: bool,
    },
    /// In a DO block, which catches that it cannot, or by itself.
    DiscardAll {
        in_block: bool,
    },
    DiscardTemp,
    /// One of the statements that try to set who is logged in.
    Forge(usize, Tenant),
    /// Sets `timedb.api_key`.
    Key {
        key: Key,
        is_local: bool,
    },
    ResetKey,
    /// Sets or empties `request.method`, as PostgREST does.
    Serve {
        on: bool,
        is_local: bool,
    },
    /// One of the statements that change roles, allowed or not.
    Role(usize),
    /// One of the settings of the planner.
    Plan(usize),
}

/// How a session looks at what is there, other than by a plain query, and what that leaves behind.
#[derive(Clone, Copy, Debug)]
pub enum Look {
    /// By a statement prepared once.
    Execute(Source),
    Deallocate,
    CopyQuery(Source),
    CopyTable(Source),
    Declare(Cursor),
    Fetch(Cursor),
    Close(Cursor),
    /// Copies what is seen into a temporary table.
    Keep,
    /// Looks at that table.
    Kept,
}

#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Login {
        key: Key,
        is_local: bool,
        way: Way,
    },
    /// PostgREST's hook, with a key in the headers or with none.
    PreRequest {
        key: Key,
        way: Way,
    },
    Logout,
    Boundary(Boundary),
    Setting(Setting),
    Look(Look),
    /// One of the writes that a tenant may not do directly, on one of the tables.
    Tamper(Index, Index),
    Write(Write),
    Manage(Manage),
    Control(Control),
}

/// How many savepoints' names there are.
const NAMES: usize = 3;
/// How many users each tenant has, and so, of both tenants together, how many there are.
pub const USERS: usize = 4;

/// How much there is of what: a case with little of one thing goes deeper into another.
#[derive(Clone, Copy, Debug)]
struct Shares {
    settings: u32,
    looking: u32,
    writing: u32,
    control: u32,
    /// How soon transactions end.
    ends: u32,
    /// How many keys presented are nobody's.
    bad_keys: u32,
}

pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let share = || select(vec![0, 1, 1, 3]);
    let beside = [share(), share(), share(), share()];
    let within = [select(vec![1, 4, 4]), select(vec![1, 1, 1, 4])];
    (beside, within).prop_flat_map(|(beside, [ends, bad_keys])| {
        let [settings, looking, writing, control] = beside;
        let shares = Shares {
            settings,
            looking,
            writing,
            control,
            ends,
            bad_keys,
        };
        prop::collection::vec(operation(shares), 20..120)
    })
}

fn operation(shares: Shares) -> impl Strategy<Value = Operation> {
    prop_oneof![
        26 => session(shares.bad_keys),
        34 => boundary(shares.ends).prop_map(Operation::Boundary),
        1 + 11 * shares.settings => setting().prop_map(Operation::Setting),
        1 + 15 * shares.looking => look().prop_map(Operation::Look),
        1 + 11 * shares.writing => writing(),
        1 + 12 * shares.control => control().prop_map(Operation::Control),
    ]
}

/// Whom the session acts for.
fn session(bad_keys: u32) -> impl Strategy<Value = Operation> {
    let key = || key(bad_keys);
    let login = (key(), any::<bool>(), way()).prop_map(|(key, is_local, way)| Operation::Login { key, is_local, way });
    let pre_key = prop_oneof![2 => key(), 1 => Just(Key::Null)];
    let pre_way = select(vec![Way::Plainly, Way::Caught, Way::Undone]);
    let pre_request = (pre_key, pre_way).prop_map(|(key, way)| Operation::PreRequest { key, way });
    prop_oneof![
        18 => login,
        6 => pre_request,
        4 => Just(Operation::Logout),
    ]
}

fn boundary(ends: u32) -> impl Strategy<Value = Boundary> {
    let isolation = select(vec![
        Isolation::ReadCommitted,
        Isolation::RepeatableRead,
        Isolation::Serializable,
    ]);
    let begin = (isolation, prop::bool::weighted(0.2))
        .prop_map(|(isolation, read_only)| Boundary::Begin { isolation, read_only });
    let chain = || prop::bool::weighted(0.2);
    prop_oneof![
        9 => begin,
        9 => (0..NAMES).prop_map(Boundary::Savepoint),
        9 => (0..NAMES).prop_map(Boundary::RollbackTo),
        3 => (0..NAMES).prop_map(Boundary::Release),
        ends => chain().prop_map(|chain| Boundary::Commit { chain }),
        ends => chain().prop_map(|chain| Boundary::Rollback { chain }),
        2 => Just(Boundary::Fail),
    ]
}

/// How many statements of a kind there are: `sql` has them.
pub const FORGERIES: usize = 6;
pub const ROLES: usize = 7;
/// Of those, the first so many are allowed.
pub const ROLES_ALLOWED: usize = 3;
pub const PLANS: usize = 7;

fn setting() -> impl Strategy<Value = Setting> {
    let serve = (prop::bool::weighted(0.3), any::<bool>()).prop_map(|(on, is_local)| Setting::Serve { on, is_local });
    let in_block = || prop::bool::weighted(0.3);
    let key = (key(1), any::<bool>()).prop_map(|(key, is_local)| Setting::Key { key, is_local });
    prop_oneof![
        2 => in_block().prop_map(|in_block| Setting::ResetAll { in_block }),
        3 => in_block().prop_map(|in_block| Setting::DiscardAll { in_block }),
        1 => Just(Setting::DiscardTemp),
        2 => (0..FORGERIES, tenant()).prop_map(|(which, tenant)| Setting::Forge(which, tenant)),
        4 => key,
        1 => Just(Setting::ResetKey),
        2 => serve,
        2 => (0..ROLES).prop_map(Setting::Role),
        4 => (0..PLANS).prop_map(Setting::Plan),
    ]
}

fn look() -> impl Strategy<Value = Look> {
    let cursor = || select(vec![Cursor::Plain, Cursor::Held]);
    prop_oneof![
        4 => source().prop_map(Look::Execute),
        1 => Just(Look::Deallocate),
        2 => source().prop_map(Look::CopyQuery),
        1 => select(&RELATIONS[..3]).prop_map(Look::CopyTable),
        3 => cursor().prop_map(Look::Declare),
        4 => cursor().prop_map(Look::Fetch),
        1 => cursor().prop_map(Look::Close),
        2 => Just(Look::Keep),
        2 => Just(Look::Kept),
    ]
}

fn writing() -> impl Strategy<Value = Operation> {
    let write = prop_oneof![
        3 => Just(Write::Upload),
        1 => Just(Write::CreateSeries),
        2 => tenant().prop_map(Write::UploadTo),
        2 => tenant().prop_map(Write::Update),
        1 => Just(Write::UploadArrow),
        1 => tenant().prop_map(Write::UploadArrowTo),
        2 => prop::option::of(tenant()).prop_map(Write::Compact),
    ];
    let manage = prop_oneof![
        any::<Index>().prop_map(Manage::Revoke),
        (0..USERS).prop_map(Manage::Deactivate),
    ];
    prop_oneof![
        6 => write.prop_map(Operation::Write),
        2 => manage.prop_map(Operation::Manage),
        2 => any::<(Index, Index)>().prop_map(|(kind, table)| Operation::Tamper(kind, table)),
    ]
}

fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        2 => any::<Index>().prop_map(Control::Revoke),
        2 => any::<Index>().prop_map(Control::Expire),
        7 => any::<Index>().prop_map(Control::Restore),
        1 => (0..USERS).prop_map(Control::Deactivate),
        4 => (0..USERS).prop_map(Control::Activate),
        1 => (0..USERS, scope()).prop_map(|(user, scope)| Control::NewKey(user, scope)),
        2 => (tenant(), scope()).prop_map(|(tenant, scope)| Control::Bind(tenant, scope)),
        1 => Just(Control::Unbind),
    ]
}

pub fn key(bad: u32) -> impl Strategy<Value = Key> {
    prop_oneof![
        18 => any::<Index>().prop_map(Key::Made),
        bad => Just(Key::Unknown),
        bad => Just(Key::Malformed),
        bad => Just(Key::Null),
    ]
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        5 => Just(Way::Plainly),
        2 => Just(Way::Bound),
        1 => Just(Way::Prepared),
        2 => Just(Way::Function),
        1 => Just(Way::Definer),
        4 => Just(Way::Caught),
        3 => Just(Way::Undone),
        1 => Just(Way::Failed),
        1 => Just(Way::Committed),
        1 => Just(Way::RolledBack),
    ]
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![select(&RELATIONS[..]), select(&FUNCTIONS[..])]
}

fn tenant() -> impl Strategy<Value = Tenant> {
    select(&TENANTS[..])
}

fn scope() -> impl Strategy<Value = Scope> {
    select(vec![Scope::Read, Scope::Write, Scope::Admin])
}
