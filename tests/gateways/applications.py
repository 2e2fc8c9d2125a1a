"""What docs/pools.md says of pools inside an application, tried: its table, and its lines as they stand there.

applications.py POOL PAGE URL A_KEY ANOTHER_KEY; it ends with a traceback where the page is wrong. Every pool has one connection,
so whoever takes it next has the session of whoever gave it back.
"""

import ast
import asyncio
import functools
import inspect
import re
import sys
import types

import asyncpg
import psycopg
import psycopg_pool
import sqlalchemy
import sqlalchemy.ext.asyncio

POOL, PAGE, URL, ALICES_KEY, BOBS_KEY = sys.argv[1:]
SESSION = "SELECT pg_backend_pid()"
WHO = "SELECT timedb.current_tenant()"
LOGIN = "SELECT count(*) FROM timedb.authenticate({})", ALICES_KEY
LOGIN_FOR_THE_TRANSACTION = "SELECT count(*) FROM timedb.authenticate({}, true)", ALICES_KEY
LEAVE_A_TABLE = "CREATE TEMPORARY TABLE residue AS SELECT 1"
TABLES = "SELECT count(*) FROM pg_class WHERE relname = 'residue' AND pg_table_is_visible(oid)"
FAIL = "SELECT 1 / 0"
# From its fifth execution on psycopg has it prepared, asyncpg from its first.
OFTEN = ["SELECT {}::int"] * 7


class Sqlalchemy:
    """A turn is one connection, taken, used by `statements`, and given back after `end`."""

    driver, placeholder = "psycopg", "%s"
    create = staticmethod(sqlalchemy.create_engine)

    def __init__(self, autocommit):
        url = URL.replace("postgresql:", f"postgresql+{self.driver}:")
        level = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
        one = {"pool_size": 1, "max_overflow": 0}
        self.engine = self.create(url, **one, **level)
        self.names = {"event": sqlalchemy.event, "engine": self.engine, "api_key": ALICES_KEY}

    async def turn(self, end, *statements):
        with self.engine.connect() as connection:
            got = []
            try:
                for sql, parameters in self.of(statements):
                    result = connection.exec_driver_sql(sql, parameters)
                    got.append(result.scalar() if result.returns_rows else None)
            except sqlalchemy.exc.DBAPIError as error:
                assert end == "fail", error
            if end != "fail":
                getattr(connection, end)()
            return got

    async def bare(self, *statements):
        """A turn of somebody whom no line logs in: what the session still holds."""
        connection = self.engine.raw_connection()
        try:
            return [connection.driver_connection.execute(sql, args).fetchone()[0] for sql, args in self.of(statements)]
        finally:
            connection.close()

    def of(self, statements):
        """Each with its parameters; a statement of text alone has the number 1 for all of its own."""
        for statement in statements:
            sql, *parameters = (statement,) if isinstance(statement, str) else statement
            parameters = parameters or [1] * sql.count("{}")
            yield sql.format(self.placeholder), tuple(parameters)


class SqlalchemyOnAsyncpg(Sqlalchemy):
    driver, placeholder = "asyncpg", "$1"
    create = staticmethod(sqlalchemy.ext.asyncio.create_async_engine)

    async def turn(self, end, *statements):
        async with self.engine.connect() as connection:
            got = []
            try:
                for sql, parameters in self.of(statements):
                    result = await connection.exec_driver_sql(sql, parameters)
                    got.append(result.scalar() if result.returns_rows else None)
            except sqlalchemy.exc.DBAPIError as error:
                assert end == "fail", error
            if end != "fail":
                await getattr(connection, end)()
            return got

    async def bare(self, *statements):
        connection = await self.engine.raw_connection()
        try:
            return [await connection.driver_connection.fetchval(sql, *args) for sql, args in self.of(statements)]
        finally:
            await sqlalchemy.util.greenlet_spawn(connection.close)


class PsycopgPool(Sqlalchemy):
    def __init__(self, autocommit):
        create = functools.partial(
            psycopg_pool.ConnectionPool, min_size=1, max_size=1, open=True, kwargs={"autocommit": autocommit}
        )
        self.names = {"psycopg_pool": types.SimpleNamespace(ConnectionPool=create), "conninfo": URL, "create": create}

    WITHOUT_LINES = "pool = create(conninfo)"

    async def turn(self, end, *statements):
        got = []
        try:
            with self.names["pool"].connection() as connection:
                for sql, parameters in self.of(statements):
                    cursor = connection.execute(sql, parameters)
                    got.append(cursor.fetchone()[0] if cursor.description else None)
                if end == "rollback":
                    connection.rollback()
        except psycopg.Error as error:
            assert end == "fail", error
        return got

    async def bare(self, *statements):
        return await self.turn("commit", *statements)


class AsyncpgPool(PsycopgPool):
    placeholder = "$1"

    def __init__(self, autocommit):
        self.autocommit = autocommit
        self.sets_up = True

        def create(*arguments, setup=None, **more):
            async def set_up(connection):
                if setup and self.sets_up:
                    await setup(connection)

            return asyncpg.create_pool(*arguments, setup=set_up, min_size=1, max_size=1, **more)

        self.names = {"asyncpg": types.SimpleNamespace(create_pool=create), "conninfo": URL, "create": create}
        self.names["api_key"] = ALICES_KEY

    WITHOUT_LINES = "pool = await create(conninfo)"

    async def turn(self, end, *statements):
        got = []
        try:
            async with self.names["pool"].acquire() as connection:
                transaction = None if self.autocommit else connection.transaction()
                if transaction:
                    await transaction.start()
                for sql, parameters in self.of(statements):
                    got.append(await connection.fetchval(sql, *parameters))
                if transaction:
                    await getattr(transaction, end)()
        except asyncpg.PostgresError as error:
            assert end == "fail", error
        return got

    async def bare(self, *statements):
        self.sets_up = False
        got = await self.turn("commit", *statements)
        self.sets_up = True
        return got


POOLS = {
    "SQLAlchemy on psycopg": Sqlalchemy,
    "SQLAlchemy on asyncpg": SqlalchemyOnAsyncpg,
    "psycopg_pool": PsycopgPool,
    "asyncpg.Pool": AsyncpgPool,
}


# Against which the page warns.
DISCARD_ALL = {
    "psycopg_pool": """
def discard(connection):
    connection.commit()
    connection.autocommit = True
    connection.execute("DISCARD ALL")
    connection.autocommit = False

pool = create(conninfo, reset=discard)""",
    "asyncpg.Pool": "pool = await create(conninfo, reset=lambda connection: connection.execute('DISCARD ALL'))",
}


def page():
    with open(PAGE, encoding="utf-8") as file:
        return file.read()


def lines():
    """The page's blocks for the pool."""
    blocks = re.findall(r"^```python\n(# ([^\n:]*)[^`]*)^```", page(), re.MULTILINE)
    assert len(blocks) == page().count("```python"), "each block says of which pool it is"
    unknown = {name for _, name in blocks} - {*POOLS, "All of them"}
    assert not unknown, f"blocks of no pool: {unknown}"
    (all_of_them,) = [text for text, name in blocks if name == "All of them"]
    return [f"{all_of_them}\n{text}" for text, name in blocks if name == POOL]


def stays():
    """Whether a login of the session stays, as the page's table has it: after a commit, after a rollback."""
    said = re.search(rf"^\| {re.escape(POOL)} \| (.*?) \|", page(), re.MULTILINE)[1]
    return {"stays, if it was committed": (True, False), "is gone": (False, False)}[said]


async def pool(blocks, autocommit=False):
    made = POOLS[POOL](autocommit)
    for text in blocks or [getattr(made, "WITHOUT_LINES", "")]:
        running = eval(compile(text, PAGE, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), made.names)
        if inspect.isawaitable(running):
            await running
    return made


def ways(forgetting):
    """Each way in which a turn can end, with whether it was in autocommit."""
    yield "commit", False
    yield "rollback", False
    yield "fail", False
    yield "commit", True
    if forgetting:
        yield "fail", True


async def without_lines(alice):
    after_commit, after_rollback = stays()
    for end, autocommit in ways(False):
        made = await pool([], autocommit)
        failing = [FAIL] if end == "fail" else []
        session, _, _, who, *_ = await made.turn(end, SESSION, LOGIN, LEAVE_A_TABLE, WHO, *failing)
        assert str(who) == alice, f"the premise: logged in, {end}"
        later, who, tables = await made.bare(SESSION, WHO, TABLES)
        assert later == session, "the premise: it is the same session"
        stayed = after_commit if end == "commit" else after_rollback
        assert (str(who) == alice) == stayed, f"{end}, autocommit {autocommit}: {who}"
        assert tables == (1 if end == "commit" else 0), f"{end}: {tables} temporary tables"


async def forgetting(blocks, alice):
    for end, autocommit in ways(True):
        made = await pool(blocks, autocommit)
        failing = [FAIL] if end == "fail" else []
        sessions = set()
        for _ in range(3):
            session, _, _, who, *_ = await made.turn(end, SESSION, LOGIN, LEAVE_A_TABLE, WHO, *OFTEN, *failing)
            assert str(who) == alice, f"the premise: logged in, {end}"
            sessions.add(session)
            later, who, tables = await made.bare(SESSION, WHO, TABLES)
            sessions.add(later)
            assert who is None, f"{end}, autocommit {autocommit}: the login stays"
            assert tables == 0, f"{end}, autocommit {autocommit}: a temporary table stays"
        assert len(sessions) == 1, "the premise: it is the same session"
        await still(made, autocommit)


async def still(made, autocommit):
    """A connection comes back in the mode that it was made in: in autocommit no moment is that of another statement's."""
    first, second = await made.turn("commit", "SELECT now()", "SELECT now()")
    assert (first == second) != autocommit, f"autocommit is no longer {autocommit}"


async def logging_in(block, alice, bob):
    made = await pool([block])
    for _ in range(3):
        for end in ["commit", "rollback", "fail"]:
            for key, tenant in [(ALICES_KEY, alice), (BOBS_KEY, bob)]:
                made.names["api_key"] = key
                failing = [FAIL] if end == "fail" else []
                session, who, *_ = await made.turn(end, SESSION, WHO, *failing)
                assert str(who) == tenant, f"{who} is logged in, not {tenant}"
                later, who = await made.bare(SESSION, WHO)
                assert later == session, "the premise: it is the same session"
                assert who is None, f"{end}: the login of the transaction stays"
    made = await pool([block], autocommit=True)
    assert await made.turn("commit", WHO) == [None], "in autocommit it logs nobody in"


async def for_the_transaction(blocks, alice):
    """What the application itself does, where no line logs in."""
    made = await pool(blocks)
    for end in ["commit", "rollback", "fail"]:
        failing = [FAIL] if end == "fail" else []
        _, who, *_ = await made.turn(end, LOGIN_FOR_THE_TRANSACTION, WHO, *failing)
        assert str(who) == alice
        assert await made.bare(WHO) == [None], f"{end}: the login of the transaction stays"


async def by_setup(blocks, alice, bob):
    for autocommit in [False, True]:
        made = await pool(blocks, autocommit)
        for end in ["commit", "rollback", "fail"]:
            for key, tenant in [(ALICES_KEY, alice), (BOBS_KEY, bob)]:
                made.names["api_key"] = key
                failing = [FAIL] if end == "fail" else []
                who, *_ = await made.turn(end, WHO, *failing)
                assert str(who) == tenant, f"{who} is logged in, not {tenant}"
                assert await made.bare(WHO) == [None], f"{end}: the login stays"


async def main():
    alice, bob = [await tenant(key) for key in [ALICES_KEY, BOBS_KEY]]
    await without_lines(alice)
    if POOL.startswith("SQLAlchemy"):
        log_in, forget = lines()
        await logging_in(log_in, alice, bob)
        await forgetting([forget], alice)
        await logging_in(log_in + forget, alice, bob)
    elif POOL == "psycopg_pool":
        await forgetting(lines(), alice)
        await for_the_transaction([], alice)
        await for_the_transaction(lines(), alice)
    else:
        await forgetting(lines(), alice)
        await for_the_transaction([], alice)
        await by_setup(lines(), alice, bob)
    if POOL in DISCARD_ALL:
        await discard_all_takes_what_is_prepared()


async def discard_all_takes_what_is_prepared():
    made = await pool([DISCARD_ALL[POOL]])
    await made.turn("commit", SESSION)
    await made.turn("commit", *OFTEN)
    try:
        await made.turn("commit", *OFTEN)
    except AssertionError as error:
        assert error.args[0].sqlstate == "26000", error
    else:
        raise AssertionError("the driver notices DISCARD ALL by now: the page may recommend it")


async def tenant(key):
    with psycopg.connect(URL) as connection:
        connection.execute("SELECT FROM timedb.authenticate(%s)", (key,))
        return str(connection.execute(WHO).fetchone()[0])


asyncio.run(main())
print("as the page says")
