"""Client of a Temper service. One file, Python's standard library only, Python 3.9 or later.

    import temper

    client = temper.Client()  # TEMPER_URL and TEMPER_KEY, or http://localhost:5080 and no key
    job = client.submit(dataset="digits", epsilon=0.1, epochs=3)
    job = client.wait(job, on_epoch=lambda epoch: print(epoch["epoch"], epoch["ece"]))
    print(job["state"], client.metrics(job)["validationLoss"])

Jobs, studies and reports are the dictionaries of the service's JSON; GET /swagger of the service describes them. Where a
method takes a job or a study, give its dictionary or its id. A figure that is not finite is None.
"""

import contextlib
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

__all__ = ["Client", "Problem", "TemperError", "Unreachable", "WaitTimeout"]

_POLL_SECONDS = 1.0
_LONG_POLL_SECONDS = 20
_COMPUTE_SECONDS = 300  # the answer comes when it has had its turn and is computed
_UPLOAD_SECONDS = 3600  # the answer comes when the file is received and computed
_HEARTBEAT_SECONDS = 15


class TemperError(Exception):
    """Any error of this client."""


class Unreachable(TemperError):
    """The service did not answer, also not when asked again. A submission may have been stored."""


class WaitTimeout(TemperError):
    """The job or study did not end in time. It goes on."""


class Problem(TemperError):
    """The service refused the request.

    status: HTTP status. title, detail: texts of the problem document. errors: {field: [what it must be, …]}, empty where no
    field is wrong.
    """

    def __init__(self, status, document):
        self.status = status
        self.title = document.get("title") or http.client.responses.get(status, "")
        self.detail = document.get("detail") or ""
        self.errors = document.get("errors") or {}
        wrong = "".join(f"\n  {field}: {message}" for field, all in self.errors.items() for message in all)
        super().__init__(f"{status} {self.title} {self.detail}".strip() + wrong)


class Client:
    """Requests that fail for want of a connection, or with 429 or 503, are sent again: every method may be repeated, and
    submissions carry an Idempotency-Key.

    url: of the service. key: a key of the service, None where it needs none. timeout: longest wait for an answer, seconds.
    retries: how often a request is sent again, after 0.5, 1, 2, 4 … seconds or as long as Retry-After says.
    """

    def __init__(self, url=None, key=None, timeout=60, retries=5):
        self.url = (url or os.environ.get("TEMPER_URL") or "http://localhost:5080").rstrip("/")
        self.timeout = timeout
        self.retries = retries
        self._key = key or os.environ.get("TEMPER_KEY")
        self._opener = urllib.request.build_opener(_NoRedirects)  # a redirect would send the key to another place

    # Jobs

    def submit(self, spec=None, *, idempotency_key=None, **fields):
        """Submits a job, by a dictionary, by fields or both: submit(dataset="mnist", epsilon=0.1, epochs=3)."""
        return self._submit("/jobs", {**(spec or {}), **fields}, idempotency_key)

    def job(self, job):
        return self._json("GET", _job(job))

    def jobs(self, **filters):
        """All jobs, newest first; filters are state, dataset, tag and study. Asks for the next page when it is needed."""
        return self._pages("/jobs", filters)

    def metrics(self, job):
        """{"epoch": [1, 2, …], "trainLoss": […], …}, as much as there is so far."""
        return _columns(self._json("GET", _job(job) + "/metrics")["items"])

    def calibration(self, job, **options):
        """The calibration report of a succeeded job; options are binning, bins, resamples, seed and measures="true"."""
        return self._json("GET", _job(job) + "/calibration", query=options)

    def corruptions(self, job):
        """The figures of a succeeded job with corruptions=True on corrupted test images, kind by kind and strength by strength."""
        return self._json("GET", _job(job) + "/corruptions")

    def logits(self, job, split="test"):
        """(logits, labels) of a split, "test" or "validation", as arrays of NumPy: float32 N×K and int32 N."""
        import io

        import numpy

        with numpy.load(io.BytesIO(self._bytes(_job(job) + "/logits", {"split": split}))) as arrays:
            return arrays["logits"], arrays["labels"]

    def download_logits(self, job, path, split="test"):
        """Writes the logits of a split to an npz file."""
        self._download(_job(job) + "/logits", path, {"split": split})

    def download_model(self, job, path, format="safetensors", input=None, calibrator=None):
        """Writes the weights to a safetensors file, or the model to an ONNX file with format="onnx".

        input: type of the pixels that the ONNX file takes, "uint8" (the default) or "float32".
        calibrator: that of the ONNX file's output `calibrated`, as in `predict`.
        """
        query = {"format": format, "input": input, "calibrator": calibrator}
        self._download(_job(job) + "/model", path, {name: value for name, value in query.items() if value})

    def predict(self, job, images, calibrator=None):
        """Calibrated probabilities of a succeeded job's model: {"calibrator": …, "items": [{"label": …, "probabilities": […]}]}.

        calibrator: "temperature" (the default), "none", "biasCorrectedTemperature", "vector", "structuredMatrix", "histogram",
        "isotonic", or "chosen": the one that the calibration report with measures="true" chooses.
        images: an array of NumPy, uint8, N×H×W or N×H×W×C; nested lists of such numbers; the path of a PNG, JPEG or npz file; or a
        list of paths of PNG and JPEG files.
        """
        import io

        if isinstance(images, (str, os.PathLike)) and os.fspath(images).lower().endswith(".npz"):
            with open(images, "rb") as file:
                data, kind = file.read(), "application/octet-stream"
        elif isinstance(images, (str, os.PathLike)):
            data, kind = _form([images])
        elif hasattr(images, "dtype"):
            import numpy

            arrays = io.BytesIO()
            numpy.savez(arrays, images=images)
            data, kind = arrays.getvalue(), "application/octet-stream"
        elif images and isinstance(images[0], (str, os.PathLike)):
            data, kind = _form(images)
        else:
            data, kind = json.dumps({"images": images}).encode(), "application/json"
        return self._json(
            "POST",
            _job(job) + "/predict",
            query={"calibrator": calibrator} if calibrator else None,
            file=io.BytesIO(data),
            headers={"Content-Type": kind},
            timeout=_COMPUTE_SECONDS,
        )

    def cancel(self, job):
        return self._json("POST", _job(job) + "/cancel")

    def pause(self, job):
        return self._json("POST", _job(job) + "/pause")

    def resume(self, job):
        return self._json("POST", _job(job) + "/resume")

    def retry(self, job, fresh=False):
        """Queues a failed or cancelled job again. fresh: from the beginning, not from its checkpoint."""
        return self._json("POST", _job(job) + "/retry", query={"fresh": "true"} if fresh else None)

    # Studies

    def submit_study(self, spec=None, *, idempotency_key=None, **fields):
        """Submits a study: submit_study(job={"dataset": "digits", "epochs": 3}, criterion="ece")."""
        return self._submit("/studies", {**(spec or {}), **fields}, idempotency_key)

    def study(self, study):
        return self._json("GET", _study(study))

    def studies(self):
        """All studies, newest first."""
        return self._pages("/studies", {})

    def recommendation(self, study):
        return self._json("GET", _study(study) + "/recommendation")

    def study_metrics(self, study):
        """{"job": […], "epsilon": […], "seed": […], "epoch": […], …}: one entry for each epoch of each job."""
        return _columns(self._json("GET", _study(study) + "/metrics")["items"])

    def report(self, study):
        """The study's report, the numbers that its page shows."""
        return self._json("GET", _study(study) + "/report", query={"format": "json"})

    def download_report(self, study, path):
        """Writes the study's report to an HTML file."""
        self._download(_study(study) + "/report", path)

    # Models that were trained elsewhere

    def evaluate(self, file=None, *, name=None, idempotency_key=None, **arrays):
        """Stores the outputs of a model and returns {"evaluation": …, "report": …}, its calibration report.

        file: the path of an npz file; or give its arrays, which needs NumPy: logits or probabilities (N×K) and labels (N), for the
        temperature validation_logits or validation_probabilities with validation_labels, and true_probabilities.
        """
        if (file is None) == (not arrays):
            raise TypeError("evaluate takes either a path or arrays")
        if file is None:
            import io

            import numpy

            data = io.BytesIO()
            numpy.savez(data, **arrays)
        else:
            data = open(file, "rb")
        with data:
            headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4()), "Content-Type": "application/octet-stream"}
            query = {"name": name} if name else None
            return self._json("POST", "/evaluations", query=query, file=data, headers=headers, timeout=_UPLOAD_SECONDS)

    def evaluations(self):
        """All evaluations, newest first."""
        return self._pages("/evaluations", {})

    def evaluation(self, evaluation):
        return self._json("GET", _evaluation(evaluation))

    def evaluation_report(self, evaluation, **options):
        """The calibration report of an evaluation; options as those of calibration."""
        return self._json("GET", _evaluation(evaluation) + "/calibration", query=options, timeout=_COMPUTE_SECONDS)

    def delete_evaluation(self, evaluation):
        with self._open("DELETE", _evaluation(evaluation)):
            pass

    # Data sets

    def datasets(self):
        """All data sets, page by page."""
        return self._pages("/datasets", {})

    def add_dataset(self, path, name, seed=0):
        """Adds a file as the next version of a data set: an npz, or a zip of IDX files or of a folder of images per class.

        seed: of the test part that a set without one gets. Returns the data set; its name has the version, such as birds@3. The
        version that has the same content when there is one.
        """
        with open(path, "rb") as data:
            headers = {"Content-Type": "application/octet-stream"}
            query = {"name": name, "seed": seed}
            return self._json("POST", "/datasets", query=query, file=data, headers=headers, timeout=_UPLOAD_SECONDS)

    # Waiting

    def wait(self, job, timeout=None, on_epoch=None):
        """Waits until a job has ended: succeeded, failed or cancelled. A KeyboardInterrupt leaves it running.

        timeout: seconds; None waits as long as it takes. on_epoch: called with the metrics of each epoch, also of those before.
        Returns the job. Raises WaitTimeout, and Unreachable when the service stays away.
        """
        return self._wait(_job(job), timeout, on_epoch)

    def wait_study(self, study, timeout=None):
        """Waits until no job of a study is left to run, and returns the study; as wait."""
        return self._wait(_study(study), timeout, None)

    def events(self, job):
        """Yields (type, data) of a job's events, from its beginning to its end; types are state, attempt, progress and epoch."""
        return self._events(_job(job), None)

    def _wait(self, path, timeout, on_epoch):
        deadline = None if timeout is None else time.monotonic() + timeout
        epochs = _Epochs(on_epoch)
        try:
            for kind, data in self._events(path, deadline):
                if kind == "epoch":
                    epochs.show([data])
        except _NoEvents:
            self._poll(path, deadline, epochs)
        return self._json("GET", path)

    def _events(self, path, deadline):
        """Follows a stream of events to its end, and connects again where it breaks."""
        end = "study" if path.startswith("/studies/") else "state"  # a study's stream has the states of its jobs too
        last, failures = None, 0
        while True:
            opened = None
            silence = self.timeout if deadline is None else max(0.1, min(self.timeout, deadline - time.monotonic()))
            try:
                headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
                with self._open("GET", path + "/events", headers=headers, deadline=deadline, timeout=silence) as stream:
                    if stream.status == 204:  # it has ended, and its last event was given before
                        return
                    opened = time.monotonic()
                    for kind, data, id in _server_sent(stream):
                        if kind is not None:
                            last, failures = id or last, 0
                            data = json.loads(data).get(kind, {})
                            yield kind, data
                            if kind == end and data["isTerminal"]:
                                return
                        elif deadline is not None and deadline - time.monotonic() < _HEARTBEAT_SECONDS < silence:
                            break  # the next heartbeat would come too late: connect again, for no longer than is left
                        _check(deadline)
                    else:
                        raise http.client.HTTPException("the stream ended before the job or study")
            except Problem as problem:
                # 404: an older service has no such route, or there is no such job, which the next request tells. 429: too many
                # streams are open.
                if problem.status in (404, 429):
                    raise _NoEvents() from None
                raise
            except (OSError, http.client.HTTPException, ValueError):
                _check(deadline)
                lasted = opened is not None and time.monotonic() - opened >= min(self.timeout, _HEARTBEAT_SECONDS)
                failures = 0 if lasted else failures + 1  # a job may wait for days without an event
                if failures > self.retries:
                    raise Unreachable(f"{self.url}{path}/events breaks off.") from None
            self._sleep(failures, deadline=deadline)

    def _poll(self, path, deadline, epochs):
        tag = None
        while True:
            seconds = _LONG_POLL_SECONDS if deadline is None else max(1, min(_LONG_POLL_SECONDS, int(deadline - time.monotonic())))
            headers = {"Prefer": f"wait={seconds}", **({"If-None-Match": tag} if tag else {})}
            given, state = self._open("GET", path, headers=headers, accept=(304,), read=lambda answer: (answer.headers, _parsed(answer)))
            waited = "Preference-Applied" in given
            if state is not None:
                tag, known = given["ETag"], state
            if epochs.wanted:
                epochs.show(self._json("GET", path + "/metrics", query={"since": epochs.last})["items"])
            if known["isTerminal"]:
                return
            _check(deadline)
            if not (waited and tag):
                time.sleep(_POLL_SECONDS)

    # Requests

    def _submit(self, path, spec, key):
        return self._json("POST", path, body=spec, headers={"Idempotency-Key": key or str(uuid.uuid4())})

    def _pages(self, path, query):
        cursor = {}
        while cursor is not None:
            page = self._json("GET", path, query={**query, **cursor})
            yield from page["items"]
            cursor = {"cursor": page["next"]} if page["next"] else None

    def _json(self, method, path, **request):
        return self._open(method, path, read=_parsed, **request)

    def _bytes(self, path, query=None):
        return self._open("GET", path, query=query, read=lambda answer: answer.read())

    def _download(self, path, to, query=None):
        part = f"{to}.part"
        try:
            with self._open("GET", path, query=query) as answer, open(part, "wb") as file:
                for piece in _pieces(answer):
                    file.write(piece)
            os.replace(part, to)
        except BaseException:
            with contextlib.suppress(OSError):
                os.remove(part)
            raise

    def _open(self, method, path, query=None, body=None, file=None, headers=None, accept=(), deadline=None, timeout=None, read=None):
        """Sends a request, and again where that may help. Returns what read makes of the answer, whose status is below 300 or in
        accept; the open answer without read.
        """
        url = self.url + path + ("?" + urllib.parse.urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(self.retries + 1):
            if file is not None:
                headers = {**(headers or {}), "Content-Length": str(file.seek(0, os.SEEK_END))}
                file.seek(0)
            request = urllib.request.Request(url, data=data if file is None else file, method=method, headers=headers or {})
            if data is not None:
                request.add_header("Content-Type", "application/json")
            if self._key:
                request.add_header("Authorization", f"Bearer {self._key}")
            try:
                answer = self._opener.open(request, timeout=timeout or self.timeout)
                if read is None:
                    return answer
                with answer:
                    return read(answer)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code in accept:
                        return read(error)
                    problem = Problem(error.code, _document(error))
                if error.code not in (429, 503) or attempt == self.retries:
                    raise problem from None
                self._sleep(attempt, error.headers["Retry-After"], deadline)
            except (OSError, http.client.HTTPException) as error:
                if attempt == self.retries:
                    raise Unreachable(f"{self.url} does not answer: {getattr(error, 'reason', error)}") from error
                self._sleep(attempt, deadline=deadline)

    @staticmethod
    def _sleep(attempt, retry_after=None, deadline=None):
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else 0.5 * 2**attempt
        if deadline is not None:
            seconds = max(0, min(seconds, deadline - time.monotonic()))
        time.sleep(seconds)
        _check(deadline)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class _NoEvents(Exception):
    """The service has no events, or gives no more streams."""


class _Epochs:
    """Shows each epoch once, also when events or polls bring it again."""

    def __init__(self, show):
        self._show = show
        self.last = 0

    @property
    def wanted(self):
        return self._show is not None

    def show(self, epochs):
        for epoch in epochs:
            if self.wanted and epoch["epoch"] > self.last:
                self.last = epoch["epoch"]
                self._show(epoch)


def _server_sent(stream):
    """Yields (type, data, id) of each event of a text/event-stream; (None, None, None) for a heartbeat, a line ": …"."""
    kind, data, id = "message", [], None
    for line in stream:
        field, _, value = line.decode().rstrip("\r\n").partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "event":
            kind = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            id = value
        elif line.startswith(b":"):
            yield None, None, None
        elif not line.strip():
            if data:
                yield kind, "\n".join(data), id
            kind, data = "message", []


def _parsed(answer):
    """The JSON of an answer; None of a 304, which has no body."""
    if answer.status == 304:
        return None
    try:
        return json.load(answer)
    except ValueError as error:
        raise http.client.HTTPException("the answer is no complete JSON") from error


def _pieces(answer):
    """Yields the bytes of an answer. Raises Unreachable when it breaks off, so that an OSError is one of a file."""
    length, got = answer.headers["Content-Length"], 0
    try:
        while True:
            piece = answer.read(1 << 20)
            if not piece:
                break
            got += len(piece)
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"The download broke off after {got} bytes: {error}") from error
    if length is not None and got != int(length):  # read does not tell, when it is asked for pieces
        raise Unreachable(f"The download broke off after {got} of {length} bytes.")


def _document(error):
    try:
        document = json.load(error)
    except (ValueError, OSError, http.client.HTTPException):
        return {}
    return document if isinstance(document, dict) else {}


def _columns(items):
    """Turns [{"epoch": 1, …}, …] into {"epoch": [1, …], …}."""
    return {name: [item[name] for item in items] for name in (items[0] if items else ())}


def _check(deadline):
    if deadline is not None and time.monotonic() >= deadline:
        raise WaitTimeout("It has not ended in time. It goes on.")


def _job(job):
    return "/jobs/" + _id(job)


def _study(study):
    return "/studies/" + _id(study)


def _evaluation(evaluation):
    return "/evaluations/" + _id(evaluation)


def _id(of):
    return urllib.parse.quote(of["id"] if isinstance(of, dict) else str(of), safe="")


def _form(paths):
    """The body and the media type of multipart/form-data with these files."""
    boundary = uuid.uuid4().hex
    parts = []
    for i, path in enumerate(paths):
        with open(path, "rb") as file:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{i}"\r\n\r\n'
            parts += [head.encode(), file.read(), b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"
