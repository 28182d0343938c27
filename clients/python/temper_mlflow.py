"""Logs the jobs of a Temper study as runs of an MLflow experiment.

    python3 temper_mlflow.py STUDY [--experiment NAME]

Reads TEMPER_URL, TEMPER_KEY, MLFLOW_TRACKING_URI (http://localhost:5000), MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and
MLFLOW_TRACKING_PASSWORD. Needs temper.py beside it and Python's standard library, not the mlflow package: it speaks MLflow's
REST API, version 2.0.

A run has the job's spec as parameters, the metrics of each epoch with the epoch as step, and the figures of the test set. Run it
again while a study trains: the tag temper.job finds the run of a job, and temper.epoch says up to which epoch it is logged, so
each value is logged once. A figure that is not finite is left out. Times begin at the submission and count the seconds of the
epochs.
"""

import argparse
import base64
import datetime
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

import temper

# Limits of MLflow: https://mlflow.org/docs/latest/rest-api.html#log-batch
# A request may have 1000 items, of which 100 are parameters and 100 tags. The last epoch may exceed this by its 10 figures.
_METRICS = 700
_PARAM_LENGTH = 500  # 6000 since MLflow 2.8

_STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "cancelled": "KILLED", "queued": "SCHEDULED", "paused": "SCHEDULED"}


class MlflowError(Exception):
    """MLflow refused a request. code: its error code, such as RESOURCE_DOES_NOT_EXIST."""

    def __init__(self, status, document):
        self.code = document.get("error_code")
        super().__init__(f"MLflow answered {status} {self.code or ''} {document.get('message', '')}".strip())


class Mlflow:
    def __init__(self, url=None):
        self.url = (url or os.environ.get("MLFLOW_TRACKING_URI") or "http://localhost:5000").rstrip("/")
        token, user = os.environ.get("MLFLOW_TRACKING_TOKEN"), os.environ.get("MLFLOW_TRACKING_USERNAME")
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif user:
            pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        self._opener = urllib.request.build_opener(temper._NoRedirects)  # a redirect would send the token to another place

    def post(self, path, body):
        return self._send("POST", path, json.dumps(body).encode())

    def get(self, path, **query):
        return self._send("GET", f"{path}?{urllib.parse.urlencode(query)}", None)

    def _send(self, method, path, body):
        request = urllib.request.Request(f"{self.url}/api/2.0/mlflow/{path}", body, self._headers, method=method)
        try:
            with self._opener.open(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
            try:
                document = json.loads(text)
            except ValueError:
                document = {"message": text[:200].decode(errors="replace")}
            raise MlflowError(error.code, document) from None

    def experiment(self, name):
        """The id of the experiment, which is created unless it exists."""
        try:
            return self.post("experiments/create", {"name": name})["experiment_id"]
        except MlflowError as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = self.get("experiments/get-by-name", experiment_name=name)["experiment"]
        if found["lifecycle_stage"] != "active":
            raise SystemExit(f"The MLflow experiment {name} was deleted. Restore it or choose another with --experiment.")
        return found["experiment_id"]

    def runs(self, experiment, study):
        """The runs of a study's jobs that were logged before, by job: (run id, tags)."""
        runs, page = {}, {}
        while page is not None:
            body = {"experiment_ids": [experiment], "filter": f"tags.`temper.study` = '{study}'", "max_results": 1000, **page}
            found = self.post("runs/search", body)
            for run in found.get("runs", []):
                tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
                runs[tags["temper.job"]] = (run["info"]["run_id"], tags)
            page = {"page_token": found["next_page_token"]} if found.get("next_page_token") else None
        return runs


def export(client, mlflow, study, experiment):
    """Logs what the runs of the study's jobs lack. Returns the number of jobs and of epochs logged now."""
    into = mlflow.experiment(experiment)
    runs, jobs, epochs = mlflow.runs(into, study["id"]), 0, 0
    for job in reversed(list(client.jobs(study=study["id"], limit=200))):  # oldest first
        run, tags = runs.get(job["id"]) or (_create(mlflow, into, job), {})
        epochs += _log(client.metrics(job), mlflow, run, tags, job)
        jobs += 1
    return jobs, epochs


def _create(mlflow, experiment, job):
    spec = job["spec"]
    run = mlflow.post(
        "runs/create",
        {
            "experiment_id": experiment,
            "run_name": f"ε = {spec['epsilon']}, seed {spec['seed']}",
            "start_time": _milliseconds(job["createdAt"]),
            "tags": _pairs({"temper.study": job["study"], "temper.job": job["id"]}),
        },
    )
    return run["run"]["info"]["run_id"]


def _log(metrics, mlflow, run, tags, job):
    """Logs the epochs that the run lacks. MLflow stores a request whole, so its tags tell what is stored."""
    last, new, batch = int(tags.get("temper.epoch", 0)), 0, []
    end = _milliseconds(job["createdAt"])
    for i, epoch in enumerate(metrics.get("epoch", [])):
        end += round(1000 * (metrics["seconds"][i] or 0))
        if epoch > last:
            if len(batch) > _METRICS:
                _batch(mlflow, run, job, batch, {"temper.epoch": str(last)})
                batch = []
            batch += _metrics({name: values[i] for name, values in metrics.items() if name != "epoch"}, end, epoch)
            last, new = epoch, new + 1
    stored = {"temper.epoch": str(last)}
    if job["result"] and "temper.tested" not in tags:
        figures = {name: value for name, value in job["result"].items() if name.startswith("test")}
        batch += _metrics(figures, end, job["result"].get("keptEpoch", job["result"]["trainedEpochs"]))
        stored["temper.tested"] = "true"
    if batch or "temper.epoch" not in tags:
        _batch(mlflow, run, job, batch, stored)
    update = {"run_id": run, "status": _STATUS.get(job["state"], "RUNNING")}
    if job["finishedAt"]:
        update["end_time"] = _milliseconds(job["finishedAt"])
    mlflow.post("runs/update", update)
    return new


def _batch(mlflow, run, job, metrics, tags):
    # A parameter may be logged again with the same value.
    params = {name: _text(value) for name, value in job["spec"].items() if value is not None}
    mlflow.post("runs/log-batch", {"run_id": run, "metrics": metrics, "params": _pairs(params), "tags": _pairs(tags)})


def _metrics(figures, timestamp, step):
    return [
        {"key": name, "value": value, "timestamp": timestamp, "step": step} for name, value in figures.items() if value is not None
    ]


def _pairs(values):
    return [{"key": key, "value": value} for key, value in values.items()]


def _text(value):
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_PARAM_LENGTH]


def _milliseconds(time):
    # Python 3.9 reads neither Z nor seven digits of a second.
    whole, _, fraction = time.rstrip("Z").replace("+00:00", "").partition(".")
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return round(moment.timestamp()) * 1000 + int((fraction + "000")[:3])


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Logs the jobs of a Temper study as runs of an MLflow experiment.")
    parser.add_argument("study", help="id of the study")
    parser.add_argument("--experiment", help="name of the MLflow experiment; the study's name, or else its id, when absent")
    options = parser.parse_args(arguments)
    client, mlflow = temper.Client(), Mlflow()
    try:
        study = client.study(options.study)
        experiment = options.experiment or study["spec"]["name"] or f"temper {study['id']}"
        jobs, epochs = export(client, mlflow, study, experiment)
    except (temper.TemperError, MlflowError) as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{mlflow.url} does not answer: {getattr(error, 'reason', error)}")
    print(f"{jobs} runs in the experiment {experiment}, {epochs} epochs logged now")


if __name__ == "__main__":
    main()
