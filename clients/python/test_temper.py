"""Tests of temper.py against the service that TEMPER_URL and TEMPER_KEY name, which has a worker.

    python3 -m unittest discover -s clients/python
"""

import contextlib
import http.server
import json
import os
import socket
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid
import zipfile

import temper

SMALL = {"dataset": "digits", "epsilon": 0.1, "epochs": 2, "model": "mlp", "widths": [16]}


class ServiceTests(unittest.TestCase):
    def setUp(self):
        self.client = temper.Client()

    def test_job_from_submission_to_logits(self):
        job = self.client.submit(SMALL, name="from Python")
        self.assertEqual(("queued", "from Python"), (job["state"], job["spec"]["name"]))
        seen = []

        job = self.client.wait(job, timeout=120, on_epoch=lambda epoch: seen.append(epoch["epoch"]))

        self.assertEqual("succeeded", job["state"])
        self.assertEqual([1, 2], seen)
        metrics = self.client.metrics(job["id"])
        self.assertEqual([1, 2], metrics["epoch"])
        self.assertTrue(all(0 <= ece <= 1 for ece in metrics["ece"]))
        self.assertIn("sentence", self.client.calibration(job, resamples=200)["before"]["verdict"])
        with self.assertRaises(temper.Problem) as without:
            self.client.corruptions(job)
        self.assertEqual((404, "The job has no figures under corruption."), (without.exception.status, without.exception.title))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")
            self.client.download_model(job, path)
            with open(path, "rb") as file:
                length = int.from_bytes(file.read(8), "little")
                self.assertIn("__metadata__", json.loads(file.read(length)))
            self.client.download_model(job, path, format="onnx", input="float32", calibrator="chosen")
            self.assertGreater(os.path.getsize(path), 28 * 28 * 16 * 4)
        black = [[0] * 28] * 28
        (item,) = self.client.predict(job, [black])["items"]
        self.assertAlmostEqual(1, sum(item["probabilities"]), places=5)
        self.assertEqual("isotonic", self.client.predict(job, [black], calibrator="isotonic")["calibrator"])
        try:
            import numpy
        except ImportError:
            return
        logits, labels = self.client.logits(job)
        self.assertEqual((5000, 10), logits.shape)
        again = self.client.predict(job, numpy.zeros((2, 28, 28), numpy.uint8))
        self.assertEqual([item, item], again["items"])
        self.assertAlmostEqual(job["result"]["testAccuracy"], numpy.mean(logits.argmax(1) == labels), places=9)

    def test_evaluation_of_arrays_and_of_a_file(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("needs NumPy")
        arrays = {"logits": numpy.array([[4, 0], [4, 0], [4, 0], [4, 0]], "f4"), "labels": numpy.array([0, 0, 0, 1])}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "outputs.npz")
            numpy.savez(path, **arrays)
            answers = [self.client.evaluate(path, name="a file"), self.client.evaluate(name="arrays", **arrays)]
        self.assertEqual(answers[0]["report"], answers[1]["report"])
        self.assertAlmostEqual(4 / numpy.log(3), answers[0]["report"]["temperatureFit"]["temperature"])
        self.assertEqual(["arrays", "a file"], [one["name"] for one in self.client.evaluations()][:2])
        evaluation = answers[0]["evaluation"]
        self.assertEqual(evaluation, self.client.evaluation(evaluation))
        self.assertEqual(7, self.client.evaluation_report(evaluation, bins=7)["options"]["bins"])
        for answer in answers:
            self.client.delete_evaluation(answer["evaluation"])
        with self.assertRaises(temper.Problem) as problem:
            self.client.evaluate(logits=numpy.zeros((2, 2)), labels=numpy.array([0, 5]))
        self.assertEqual(400, problem.exception.status)
        self.assertIn("labels", problem.exception.errors)

    def test_study_to_its_recommendation(self):
        job = {name: value for name, value in SMALL.items() if name != "epsilon"}
        study = self.client.submit_study(job=job, epsilons=[0, 0.2], seeds=2, criterion="ece")

        study = self.client.wait_study(study, timeout=240)

        self.assertEqual(("succeeded", 4), (study["state"], study["progress"]["succeeded"]))
        recommendation = self.client.recommendation(study)
        self.assertIn(recommendation["epsilon"], [0, 0.2])
        best = self.client.job(recommendation["predict"].split("/")[2])
        self.assertEqual(recommendation["epsilon"], best["spec"]["epsilon"])
        metrics = self.client.study_metrics(study)
        self.assertEqual([1, 2] * 4, metrics["epoch"])
        self.assertEqual({(0, 0), (0.2, 0), (0, 1), (0.2, 1)}, set(zip(metrics["epsilon"], metrics["seed"])))
        self.assertEqual(study["id"], self.client.report(study)["study"]["id"])
        self.assertEqual(4, len(list(self.client.jobs(study=study["id"], limit=3))))

    def test_uploaded_data_set_is_trained_on(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "set.zip")
            with zipfile.ZipFile(path, "w") as files:
                for part, count in (("train", 40), ("t10k", 10)):
                    size = count.to_bytes(4, "big")
                    side = (8).to_bytes(4, "big")
                    pixels = b"".join(bytes([100 * (i % 2) + i]) * 64 for i in range(count))
                    files.writestr(f"{part}-images-idx3-ubyte", b"\0\0\x08\x03" + size + 2 * side + pixels)
                    files.writestr(f"{part}-labels-idx1-ubyte", b"\0\0\x08\x01" + size + bytes(i % 2 for i in range(count)))
            name = f"python-{uuid.uuid4().hex[:8]}"
            added = self.client.add_dataset(path, name)
            self.assertEqual((f"{name}@1", 2, 40, 10), tuple(added[key] for key in ("name", "classes", "trainImages", "testImages")))
            self.assertEqual(added["name"], self.client.add_dataset(path, name)["name"])
        self.assertIn(added["name"], [one["name"] for one in self.client.datasets()])
        job = self.client.wait(self.client.submit(SMALL, dataset=name), timeout=120)
        self.assertEqual(("succeeded", added["sha256"]), (job["state"], job["result"]["dataSha256"]))

    def test_wait_no_longer_than_the_timeout(self):
        job = self.client.submit(SMALL, epochs=10000)
        with self.assertRaises(temper.WaitTimeout):
            self.client.wait(job, timeout=0.5)
        self.client.cancel(job)
        self.assertEqual("cancelled", self.client.wait(job, timeout=60)["state"])

    def test_refusals_are_problems_with_their_fields(self):
        with self.assertRaises(temper.Problem) as wrong:
            self.client.submit(dataset="digits", epsilon=2)
        self.assertEqual((400, {"epsilon", "epochs"}), (wrong.exception.status, set(wrong.exception.errors)))
        self.assertIn("epsilon: must be a number from 0 to 1; got 2", str(wrong.exception))
        with self.assertRaises(temper.Problem) as missing:
            self.client.wait(uuid.UUID(int=7))
        self.assertEqual((404, "No such job."), (missing.exception.status, missing.exception.title))
        with self.assertRaises(temper.Problem) as unknown:
            temper.Client(key="not a key of this service").jobs().__next__()
        self.assertEqual(401, unknown.exception.status)

    def test_a_lost_answer_submits_no_second_job(self):
        tag = str(uuid.uuid4())
        with losing_answers(self.client.url, count=2) as url:
            job = temper.Client(url=url).submit(SMALL, epochs=10000, tags=[tag])
        self.assertEqual([job["id"]], [one["id"] for one in self.client.jobs(tag=tag)])
        self.client.cancel(job)

    def test_no_service_is_unreachable(self):
        with self.assertRaises(temper.Unreachable):
            temper.Client(url=f"http://127.0.0.1:{free_port()}", retries=1).submit(SMALL)


class StubTests(unittest.TestCase):
    """What the service at hand may not do when it is asked."""

    def test_events_that_break_off_are_resumed_from_the_last(self):
        asked = []

        def answer(request):
            if not request.path.endswith("/events"):
                return send_json(request, {"id": "7", "state": "succeeded", "isTerminal": True})
            asked.append(request.headers["Last-Event-ID"])
            start_events(request)
            if len(asked) == 1:
                return send_event(request, "epoch", {"epoch": 1}, "a")
            request.wfile.write(b": heartbeat\n\n")
            send_event(request, "progress", {"epoch": 2}, None)
            send_event(request, "epoch", {"epoch": 2}, "b")
            send_event(request, "state", {"state": "succeeded", "isTerminal": True}, "c")

        epochs = []
        with stub(answer) as url:
            job = temper.Client(url=url).wait("7", timeout=30, on_epoch=lambda epoch: epochs.append(epoch["epoch"]))

        self.assertEqual(("succeeded", [1, 2], [None, "a"]), (job["state"], epochs, asked))

    def test_wait_no_longer_where_nothing_happens(self):
        def answer(request):
            start_events(request)
            request.wfile.write(b": heartbeat\n\n")
            request.wfile.flush()
            over.wait(30)

        over = threading.Event()
        start = time.monotonic()
        with stub(answer) as url:
            with self.assertRaises(temper.WaitTimeout):
                temper.Client(url=url, retries=0).wait("7", timeout=1)
            over.set()
        self.assertLess(time.monotonic() - start, 10)

    def test_a_service_without_events_is_polled(self):
        asked = []

        def answer(request):
            path = urllib.parse.urlsplit(request.path)
            if path.path.endswith("/events"):
                return request.send_error(404)
            if path.path.endswith("/metrics"):
                since = int(urllib.parse.parse_qs(path.query)["since"][0])
                return send_json(request, {"items": [{"epoch": n} for n in range(since + 1, len(asked) + 1)]})
            asked.append(request.headers["If-None-Match"])
            return send_json(request, {"isTerminal": len(asked) > 2}, {"ETag": '"x"', "Preference-Applied": "wait=20"})

        epochs = []
        with stub(answer) as url:
            temper.Client(url=url).wait("7", timeout=30, on_epoch=lambda epoch: epochs.append(epoch["epoch"]))

        self.assertEqual(([1, 2, 3], [None, '"x"', '"x"']), (epochs, asked[:3]))

    def test_a_stream_that_ends_without_an_event_is_a_failure(self):
        asked = []

        def answer(request):
            asked.append(request.path)
            start_events(request)
            request.wfile.write(b": heartbeat\n\n")

        with stub(answer) as url, self.assertRaises(temper.Unreachable):
            temper.Client(url=url, retries=1).wait("7")
        self.assertEqual(2, len(asked))

    def test_an_answer_that_breaks_off_is_asked_for_again(self):
        asked = []

        def answer(request):
            asked.append(request.path)
            if len(asked) == 1:
                return send_part(request, {"Content-Length": "99"})
            if len(asked) == 2:
                return send_part(request, {})
            return send_json(request, {"id": "7"})

        with stub(answer) as url:
            self.assertEqual({"id": "7"}, temper.Client(url=url, retries=2).job("7"))
            asked.clear()
            with self.assertRaises(temper.Unreachable):
                temper.Client(url=url, retries=1).job("7")

    def test_a_download_that_breaks_off_leaves_no_file(self):
        for headers in ({"Content-Length": "99"}, {"Transfer-Encoding": "chunked"}):
            with tempfile.TemporaryDirectory() as folder, stub(lambda request: send_part(request, headers)) as url:
                with self.assertRaises(temper.Unreachable):
                    temper.Client(url=url).download_model("7", os.path.join(folder, "model"))
                self.assertEqual([], os.listdir(folder))

    def test_a_busy_service_is_asked_again_and_a_redirect_is_not_followed(self):
        asked = []

        def answer(request):
            asked.append(request.path)
            if len(asked) == 1:
                return send_json(request, {}, {"Retry-After": "0"}, 503)
            request.send_response(302)
            request.send_header("Location", "/elsewhere")
            request.end_headers()

        with stub(answer) as url, self.assertRaises(temper.Problem) as refused:
            temper.Client(url=url).job("7")
        self.assertEqual((302, ["/jobs/7"] * 2), (refused.exception.status, asked))


@contextlib.contextmanager
def stub(answer):
    """A server on this machine that answers each request by calling answer(request)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def do_POST(self):
            answer(self)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def send_json(request, body, headers=None, status=200):
    request.send_response(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(json.dumps(body).encode())


def send_part(request, headers):
    """Begins an answer of JSON, and closes the connection."""
    request.protocol_version = "HTTP/1.1"
    request.send_response(200)
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(b'9\r\n{"id":' if "Transfer-Encoding" in headers else b'{"id":')
    request.close_connection = True


def start_events(request):
    request.send_response(200)
    request.send_header("Content-Type", "text/event-stream")
    request.end_headers()


def send_event(request, kind, payload, id):
    lines = [f"event: {kind}", f"data: {json.dumps({'jobId': '7', kind: payload})}", *([f"id: {id}"] if id else [])]
    request.wfile.write(("\n".join(lines) + "\n\n").encode())


@contextlib.contextmanager
def losing_answers(url, count):
    """A proxy that passes on all requests, and drops the first answers with their connections."""
    at = urllib.parse.urlsplit(url)
    lost = [count]

    def serve(client):
        with client, socket.create_connection((at.hostname, at.port)) as server:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            body = int(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")).split(b":")[1])
            while len(head.split(b"\r\n\r\n", 1)[1]) < body:
                head += client.recv(65536)
            server.sendall(head)
            answer = server.recv(65536)
            if lost[0] > 0:
                lost[0] -= 1
                return
            while answer:
                client.sendall(answer)
                answer = server.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


if __name__ == "__main__":
    unittest.main()
