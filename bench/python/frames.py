"""What a client in Python does: polars frames of reads, by ADBC and from Arrow streams, and uploads of frames.
As clickhouse.py, a JSON object a line in, one a line out."""

import io
import json
import sys
import time

import numpy
import polars
import psycopg
import pyarrow
from adbc_driver_postgresql import dbapi

connections = {}
adbc_connections = {}


def start(url, api_key):
    connection = psycopg.connect(url, autocommit=True)
    connection.execute("SELECT FROM timedb.authenticate(%s)", [api_key])
    connections["timedb"] = connection
    return {"version": f"polars {polars.__version__}, psycopg {psycopg.__version__}"}


def start_adbc(name, url, api_key=None):
    """ADBC fetches by binary COPY, and makes Arrow of it in C."""
    connection = dbapi.connect(url, autocommit=True)
    if api_key:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM timedb.authenticate($1)", [api_key])
    adbc_connections[name] = connection
    return {}


def of_stream(sql):
    cursor = connections["timedb"].cursor(binary=True)
    return polars.read_ipc_stream(cursor.execute(sql).fetchone()[0])


def of_adbc(name, sql):
    with adbc_connections[name].cursor() as cursor:
        cursor.execute(sql)
        return polars.from_arrow(cursor.fetch_arrow_table())


def timed(frame_of, *arguments):
    began = time.perf_counter()
    frame_of(*arguments)
    return {"seconds": time.perf_counter() - began}


def compare(name, rows, arrow):
    """Whether both hold the same times and values in the same order."""
    rows, arrow = of_adbc(name, rows), of_stream(arrow)
    same = rows.columns == arrow.columns and rows.height == arrow.height
    for name in ("known_time", "valid_time", "change_time"):
        same = same and rows[name].dt.epoch("us").equals(arrow[name].dt.epoch("us"))
    same = same and rows["value"].equals(arrow["value"], null_equal=True)
    same = same and rows["series_key"].equals(arrow["series_key"].cast(polars.String))
    return {"same": same, "rows": rows.height, "columns": [str(dtype) for dtype in arrow.dtypes]}


def pairs(sql, states=False):
    """An answer as pairs of time and value; or every state that its versions made, one after the other."""
    frame = of_stream(sql)
    times, values = frame["valid_time"].dt.epoch("us").to_list(), frame["value"].to_list()
    if not states:
        return {"pairs": list(zip(times, values))}
    versions = sorted(zip(frame["known_time"].dt.epoch("us").to_list(), times, values))
    made, state = [], {}
    for known in sorted({known for known, _, _ in versions}):
        later = state | {time: value for moment, time, value in versions if moment == known}
        if later != state:
            made.append(later)
        state = later
    return {"pairs": [pair for state in made for pair in state.items()]}


def update(runs):
    """Each run is a series' values known at one moment, a polars frame before the clock starts; each is a call and a commit."""
    made = []
    for run in runs:
        frame = polars.DataFrame({
            "series_key": [run["key"]] * len(run["values"]),
            "valid_time": polars.Series(run["valid_times"]).cast(polars.Datetime("us", "UTC")),
            "value": run["values"],
        })
        made.append((polars.select(polars.lit(run["known_time"]).cast(polars.Datetime("us", "UTC"))).item(), frame))
    connection = connections["timedb"]
    began = time.perf_counter()
    for known_time, frame in made:
        stream = io.BytesIO()
        frame.write_ipc_stream(stream)
        connection.execute("SELECT run_id FROM timedb.upload_arrow(%s, %s, known_time => %s)",
                           [known_time, stream.getvalue(), known_time])
    return {"seconds": time.perf_counter() - began}


def upload(keys, hours):
    """Uploads so many hours of every series as an Arrow stream; answers which backend took them."""
    start = numpy.datetime64("2025-01-01T00:00:00", "us")
    times = numpy.tile(start + numpy.arange(hours) * numpy.timedelta64(1, "h"), len(keys))
    values = numpy.round(100 + numpy.cumsum(numpy.random.default_rng(1).uniform(-1, 1, len(times))), 2)
    table = pyarrow.table({
        "series_key": pyarrow.array(numpy.repeat(numpy.array(keys), hours)),
        "valid_time": pyarrow.array(times, pyarrow.timestamp("us", "UTC")),
        "value": pyarrow.array(values),
    })
    stream = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    connection = connections["timedb"]
    connection.execute("SELECT timedb.upload_arrow('2025-01-01T00:00Z', %b)", [stream.getvalue().to_pybytes()])
    return {"backend": connection.info.backend_pid}


COMMANDS = {"start": start, "start_adbc": start_adbc, "compare": compare, "pairs": pairs, "update": update, "upload": upload,
            "adbc": lambda name, sql: timed(of_adbc, name, sql),
            "arrow": lambda sql: timed(of_stream, sql)}

for line in sys.stdin:
    request = json.loads(line)
    command = COMMANDS[request.pop("do")]
    try:
        reply = command(**request)
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
