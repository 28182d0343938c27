"""Tests of temper_mlflow.py: a study of a real service is logged to a server that checks requests by MLflow's documented rules.

The rules are those of https://mlflow.org/docs/latest/rest-api.html; no MLflow server was in these tests.
"""

import json
import math
import re
import unittest
import urllib.parse
import uuid

import temper
import temper_mlflow
from test_temper import SMALL, send_json, stub

KEY = re.compile(r"^[/\w.\- :]{1,250}$")


class Refused(Exception):
    pass


class RecordingMlflow:
    """Keeps experiments and runs, and refuses what MLflow's documents forbid."""

    def __init__(self):
        self.experiments, self.runs, self.requests, self.stage = {}, {}, [], "active"

    def __call__(self, request):
        text = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        name, _, query = request.path.rpartition("/api/2.0/mlflow/")[2].partition("?")
        self.requests.append(name)
        try:
            require(request.command == ("GET" if name == "experiments/get-by-name" else "POST"), "the method")
            require(len(text) <= 1_000_000, "a request has at most 1 MB")
            require(request.headers["Content-Type"] == "application/json", "the content type is application/json")
            body = json.loads(text) if text else dict(urllib.parse.parse_qsl(query))
            send_json(request, getattr(self, name.replace("/", "_").replace("-", "_"))(body))
        except Refused as refusal:
            send_json(request, {"error_code": refusal.args[0], "message": refusal.args[1]}, status=400)

    def experiments_create(self, body):
        if body["name"] in self.experiments:
            raise Refused("RESOURCE_ALREADY_EXISTS", body["name"])
        self.experiments[body["name"]] = str(len(self.experiments) + 1)
        return {"experiment_id": self.experiments[body["name"]]}

    def experiments_get_by_name(self, body):
        name = body["experiment_name"]
        return {"experiment": {"experiment_id": self.experiments[name], "name": name, "lifecycle_stage": self.stage}}

    def runs_search(self, body):
        """One run on a page, so that the pages matter."""
        require(1 <= body["max_results"] <= 50_000, "max_results is at most 50000")
        key, value = re.fullmatch(r"tags\.`([\w.]+)` = '([\w-]+)'", body["filter"]).groups()
        found = [run for run in self.runs.values() if run["experiment"] in body["experiment_ids"] and run["tags"].get(key) == value]
        at = int(body.get("page_token", 0))
        page = [
            {"info": {"run_id": run["id"]}, "data": {"tags": [{"key": k, "value": v} for k, v in run["tags"].items()]}}
            for run in found[at : at + 1]
        ]
        return {"runs": page, **({"next_page_token": str(at + 1)} if at + 1 < len(found) else {})} if page else {}

    def runs_create(self, body):
        require(body["experiment_id"] in self.experiments.values(), "there is no such experiment")
        require(isinstance(body["start_time"], int), "start_time is in milliseconds")
        id = uuid.uuid4().hex
        self.runs[id] = {"id": id, "experiment": body["experiment_id"], "name": body["run_name"], "metrics": {}, "params": {}, "tags": {}}
        self.runs[id]["status"] = "RUNNING"
        self.tag(id, body["tags"])
        return {"run": {"info": {"run_id": id}, "data": {}}}

    def runs_log_batch(self, body):
        run, metrics, params, tags = self.runs[body["run_id"]], body["metrics"], body["params"], body["tags"]
        require(len(metrics) + len(params) + len(tags) <= 1000, "at most 1000 metrics, parameters and tags together")
        require(len(params) <= 100 and len(tags) <= 100, "at most 100 parameters and 100 tags")
        for one in metrics:
            require(KEY.match(one["key"]), "the name of a metric")
            require(isinstance(one["value"], (int, float)) and math.isfinite(one["value"]), "the value of a metric")
            require(isinstance(one["timestamp"], int) and isinstance(one["step"], int), "timestamp and step are whole")
            run["metrics"].setdefault((one["key"], one["step"]), []).append(one)
        for one in params:
            require(KEY.match(one["key"]) and isinstance(one["value"], str) and len(one["value"]) <= 500, "a parameter")
            require(run["params"].setdefault(one["key"], one["value"]) == one["value"], "a parameter never changes")
        self.tag(body["run_id"], tags)
        return {}

    def runs_update(self, body):
        require(body["status"] in ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"), "the status of a run")
        self.runs[body["run_id"]].update(status=body["status"], end=body.get("end_time"))
        return {}

    def tag(self, run, tags):
        for one in tags:
            require(KEY.match(one["key"]) and isinstance(one["value"], str) and len(one["value"]) <= 5000, "a tag")
            self.runs[run]["tags"][one["key"]] = one["value"]


class ExportTests(unittest.TestCase):
    def setUp(self):
        self.server = RecordingMlflow()

    def test_a_study_that_trains_is_logged_once_however_often_it_is_exported(self):
        client = temper.Client()
        job = {name: value for name, value in SMALL.items() if name != "epsilon"}
        study = client.submit_study(job=job, epsilons=[0, 0.2], seeds=1, name="ε's")

        with stub(self.server) as url:
            mlflow = temper_mlflow.Mlflow(url)
            export = lambda: temper_mlflow.export(client, mlflow, study, study["spec"]["name"])
            _, before = export()
            client.wait_study(study, timeout=240)
            self.assertEqual((2, 4 - before), export())
            self.assertEqual((2, 0), export())

        self.assertEqual(["ε's"], list(self.server.experiments))
        self.assertEqual(2, len(self.server.runs))
        for run in self.server.runs.values():
            trained = client.job(run["tags"]["temper.job"])
            self.assertEqual(("FINISHED", trained["spec"]["epsilon"]), (run["status"], float(run["params"]["epsilon"])))
            self.assertEqual("[16]", run["params"]["widths"])
            self.assertGreaterEqual(run["end"], run["metrics"]["ece", 2][0]["timestamp"])
            self.assertTrue(all(len(values) == 1 for values in run["metrics"].values()))
            self.assertEqual(client.metrics(trained)["ece"], [run["metrics"]["ece", epoch][0]["value"] for epoch in (1, 2)])
            self.assertEqual(trained["result"]["testEce"], run["metrics"]["testEce", 2][0]["value"])
            self.assertEqual(2 * 10 + 4, len(run["metrics"]))

    def test_a_long_job_is_logged_in_requests_that_mlflow_accepts(self):
        names = "trainLoss trainAccuracy validationLoss validationAccuracy ece signedGap learningRate seconds imagesPerSecond validationLossAfterTemperature"
        metrics = {"epoch": list(range(1, 1001)), **{name: [0.5] * 1000 for name in names.split()}}
        metrics["trainLoss"][999] = None
        job = {
            "id": "1", "study": "2", "createdAt": "2026-01-15T09:30:00.1234567+00:00", "finishedAt": None, "state": "running",
            "result": None, "spec": {"epsilon": 0.1, "seed": 0, "name": None, "tags": ["x" * 64] * 20},
        }  # fmt: skip

        with stub(self.server) as url:
            mlflow = temper_mlflow.Mlflow(url)
            run = temper_mlflow._create(mlflow, mlflow.experiment("long"), job)
            self.assertEqual(1000, temper_mlflow._log(metrics, mlflow, run, {}, job))

        logged = self.server.runs[run]
        self.assertEqual(10 * 1000 - 1, sum(len(values) for values in logged["metrics"].values()))
        self.assertEqual(("1000", "RUNNING"), (logged["tags"]["temper.epoch"], logged["status"]))
        self.assertEqual(1768469400123 + 1000 * 500, logged["metrics"]["ece", 1000][0]["timestamp"])

    def test_an_experiment_is_found_by_its_name_unless_it_was_deleted(self):
        with stub(self.server) as url:
            mlflow = temper_mlflow.Mlflow(url)
            for name in ("a'b", "a\\", "50 % & ε"):
                self.assertEqual(mlflow.experiment(name), mlflow.experiment(name))
            self.server.stage = "deleted"
            with self.assertRaises(SystemExit):
                mlflow.experiment("a'b")

    def test_a_redirect_does_not_get_the_token(self):
        asked = []

        def answer(request):
            asked.append(request.path)
            request.send_response(307)
            request.send_header("Location", "/elsewhere")
            request.end_headers()

        with stub(answer) as url, self.assertRaises(temper_mlflow.MlflowError):
            temper_mlflow.Mlflow(url).get("experiments/get-by-name", experiment_name="x")
        self.assertEqual(1, len(asked))

    def test_a_refusal_of_mlflow_is_an_error_with_its_code(self):
        with stub(self.server) as url, self.assertRaises(temper_mlflow.MlflowError) as refused:
            temper_mlflow.Mlflow(url).post("runs/update", {"run_id": "7", "status": "DONE"})
        self.assertEqual("INVALID_PARAMETER_VALUE", refused.exception.code)


def require(holds, rule):
    if not holds:
        raise Refused("INVALID_PARAMETER_VALUE", rule)


if __name__ == "__main__":
    unittest.main()
