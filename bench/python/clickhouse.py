"""ClickHouse in this process, driven over stdin and stdout: a JSON object a line in, one a line out.

The clock runs around the one call of the driver, as it does around the calls of the Postgres peers.
"""

import json
import sys
import time
import uuid

import numpy
import polars
import pyarrow

import chdb
from chdb import session

COLUMNS = ("series_id, series_key, unit, valid_time, knowledge_time, change_time, run_id, value, changed_by")
# Times arrive as whole microseconds; the rest as the table has it.
SELECTED = ("toUUID(series_id), series_key, unit, fromUnixTimestamp64Micro(valid_time, 'UTC'), "
            "fromUnixTimestamp64Micro(knowledge_time, 'UTC'), fromUnixTimestamp64Micro(change_time, 'UTC'), "
            "toUUID(run_id), value, changed_by")
ROW = numpy.dtype([("run", "<i8"), ("series", "<i8"), ("known", "<i8"), ("valid", "<i8"), ("value", "<f8")])

connection = None
tables = {}


def start(folder):
    global connection
    connection = session.Session(folder)
    connection.query("CREATE DATABASE bench")
    version = connection.query("SELECT version()", "CSV").bytes().decode().strip().strip('"')
    return {"version": f"chdb {chdb.__version__}, ClickHouse {version}"}


def run(sql):
    began = time.perf_counter()
    connection.query(sql)
    return {"seconds": time.perf_counter() - began}


def read_rows(name, file):
    """Rows written by the bench, made into what an Arrow client would hold."""
    rows = numpy.fromfile(file, ROW)
    series = [str(uuid.UUID(int=number + 1)) for number in range(int(rows["series"].max()) + 1)]
    runs = [str(uuid.UUID(int=(1 << 64) + number)) for number in range(int(rows["run"].max()) + 1)]
    keys = [f"series_{number:02}" for number in range(len(series))]
    constant = lambda text: pyarrow.array([text]).take(pyarrow.array(numpy.zeros(len(rows), "<i8")))
    tables[name] = pyarrow.table({
        "series_id": pyarrow.array(series).take(pyarrow.array(rows["series"])),
        "series_key": pyarrow.array(keys).take(pyarrow.array(rows["series"])),
        "unit": constant("kW"),
        "valid_time": rows["valid"],
        "knowledge_time": rows["known"],
        "change_time": rows["known"],
        "run_id": pyarrow.array(runs).take(pyarrow.array(rows["run"])),
        "value": rows["value"],
        "changed_by": constant("bench@timedb.test"),
    })
    return {"rows": len(rows)}


def insert(table, name, start, end, step):
    """Inserts rows start to end, step rows a statement."""
    sql = f"INSERT INTO bench.{table} ({COLUMNS}) SELECT {SELECTED} FROM Python(part)"
    seconds = 0.0
    for at in range(start, end, step):
        part = tables[name].slice(at, min(step, end - at))
        began = time.perf_counter()
        connection.query(sql)
        seconds += time.perf_counter() - began
    return {"seconds": seconds}


def query(sql):
    began = time.perf_counter()
    answer = connection.query(sql, "ArrowStream").bytes()
    return {"seconds": time.perf_counter() - began, "bytes": len(answer)}


def frame(sql):
    """The answer as a polars frame, by way of Arrow."""
    began = time.perf_counter()
    height = polars.read_ipc_stream(connection.query(sql, "ArrowStream").bytes()).height
    return {"seconds": time.perf_counter() - began, "rows": height}


def answer(sql, file):
    """Writes the answer's two columns, a time and a value, as pairs of i64 and f64."""
    table = pyarrow.ipc.open_stream(connection.query(sql, "ArrowStream").bytes()).read_all()
    rows = numpy.empty(table.num_rows, [("time", "<i8"), ("value", "<f8")])
    rows["time"] = table.column(0).cast(pyarrow.timestamp("us", "UTC")).cast(pyarrow.int64()).to_numpy()
    rows["value"] = table.column(1).to_numpy()
    rows.tofile(file)
    return {"rows": len(rows)}


def number(sql):
    return {"number": float(connection.query(sql, "CSV").bytes().decode())}


COMMANDS = {"start": start, "run": run, "read_rows": read_rows, "insert": insert, "query": query,
            "frame": frame, "answer": answer, "number": number}

for line in sys.stdin:
    request = json.loads(line)
    command = COMMANDS[request.pop("do")]
    try:
        reply = command(**request)
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
