"""A polars frame of a read, once from the driver's rows and once from an Arrow stream. As clickhouse.py, a JSON
object a line in, one a line out."""

import json
import sys
import time

import numpy
import polars
import psycopg
import pyarrow

connections = {}


def start(url, api_key):
    connection = psycopg.connect(url, autocommit=True)
    connection.execute("SELECT FROM timedb.authenticate(%s)", [api_key])
    connections["timedb"] = connection
    return {"version": f"polars {polars.__version__}, psycopg {psycopg.__version__}"}


def of_rows(sql):
    cursor = connections["timedb"].cursor(binary=True)
    cursor.execute(sql)
    names = [column.name for column in cursor.description]
    return polars.DataFrame(cursor.fetchall(), schema=names, orient="row", infer_schema_length=None)


def of_stream(sql):
    cursor = connections["timedb"].cursor(binary=True)
    return polars.read_ipc_stream(cursor.execute(sql).fetchone()[0])


def timed(frame_of, sql):
    began = time.perf_counter()
    frame_of(sql)
    return {"seconds": time.perf_counter() - began}


def compare(rows, arrow):
    """Whether both hold the same times and values in the same order."""
    rows, arrow = of_rows(rows), of_stream(arrow)
    same = rows.columns == arrow.columns and rows.height == arrow.height
    for name in ("known_time", "valid_time", "change_time"):
        same = same and rows[name].dt.epoch("us").equals(arrow[name].dt.epoch("us"))
    same = same and rows["value"].equals(arrow["value"], null_equal=True)
    same = same and rows["series_key"].equals(arrow["series_key"].cast(polars.String))
    return {"same": same, "rows": rows.height, "columns": [str(dtype) for dtype in arrow.dtypes]}


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


COMMANDS = {"start": start, "compare": compare, "upload": upload,
            "rows": lambda sql: timed(of_rows, sql),
            "arrow": lambda sql: timed(of_stream, sql)}

for line in sys.stdin:
    request = json.loads(line)
    command = COMMANDS[request.pop("do")]
    try:
        reply = command(**request)
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
