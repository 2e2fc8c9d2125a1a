"""tshistory in this process, driven as clickhouse.py is: a JSON object a line in, one a line out.

The clock runs around the calls of its API; the pandas series that it stores are made before.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas
import tshistory
from tshistory.api import timeseries

AUTHOR = "bench@timedb.test"

api = None


def start(url, folder):
    """Makes its tables in a database, and its configuration in a folder."""
    global api
    os.environ["XDG_CONFIG_HOME"] = folder
    Path(folder, "tshistory.cfg").write_text(f"[dburi]\nbench = {url}\n")
    program = Path(sys.executable).parent / "tsh"
    made = subprocess.run([program, "init-db", url], capture_output=True, text=True)
    if made.returncode:
        raise RuntimeError(f"tsh init-db: {made.stderr.strip().splitlines()[-1]}")
    api = timeseries(url)
    return {"version": f"tshistory {tshistory.__version__}" if hasattr(tshistory, "__version__") else "tshistory"}


def moment(microseconds):
    return pandas.Timestamp(microseconds, unit="us", tz="UTC")


def update(runs):
    """Each run is a series' values known at one moment; each is a call and a commit."""
    made = []
    for run in runs:
        index = pandas.DatetimeIndex(pandas.to_datetime(run["valid_times"], unit="us", utc=True))
        made.append((run["key"], pandas.Series(run["values"], index=index), moment(run["known_time"])))
    began = time.perf_counter()
    for key, series, known_time in made:
        api.update(key, series, AUTHOR, insertion_date=known_time)
    return {"seconds": time.perf_counter() - began}


def arguments(moments, lead):
    made = {name: moment(microseconds) for name, microseconds in moments.items()}
    return made | ({"delta": pandas.Timedelta(hours=lead)} if lead else {})


def ask(verb, key, moments, lead=None):
    call = getattr(api, verb)
    given = arguments(moments, lead)
    began = time.perf_counter()
    call(key, **given)
    return {"seconds": time.perf_counter() - began}


def pairs(verb, key, moments, lead=None):
    """What a verb answers, as pairs of time and value; of a history, all its states."""
    answer = getattr(api, verb)(key, **arguments(moments, lead))
    states = answer.values() if isinstance(answer, dict) else [answer]
    return {"pairs": [[time.value // 1000, value] for state in states for time, value in state.items()]}


COMMANDS = {"start": start, "update": update, "ask": ask, "pairs": pairs}

for line in sys.stdin:
    request = json.loads(line)
    command = COMMANDS[request.pop("do")]
    try:
        reply = command(**request)
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
