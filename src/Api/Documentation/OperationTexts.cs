using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace Temper.Api.Documentation;

/// <summary>Summary and description of each operation in Swagger UI, by operation id.</summary>
internal sealed class OperationTexts : IOperationFilter
{
    private static readonly Dictionary<string, (string Summary, string Description)> All = new()
    {
        ["submitJob"] = (
            "Submit a job",
            """
            Stores the job and queues it. Only `dataset`, `epsilon` and `epochs` are required, and not `epochs` with a `recipe`.
            The answer shows the whole spec with every default. Poll `links.self` until `isTerminal` is true. `advice` says what
            this loss and ε are likely to do to calibration, from earlier jobs. With `validateOnly=true` the spec is checked and
            answered (200), and nothing is stored. With an `Idempotency-Key`, sending the same spec again gives the same job;
            another spec under that key is a 422. While too many jobs wait, the answer is a 429 with `Retry-After`.
            """
        ),
        ["listJobs"] = ("List jobs", "The newest come first. Pass `next` of a page as `cursor` to get the following page."),
        ["getJob"] = (
            "Get a job",
            """
            The job's spec, state and progress. A job that has succeeded also has its result on the test set. A matching
            If-None-Match is answered with 304. With `Prefer: wait=20` the answer waits up to 20 s for the end of the job, or with an
            If-None-Match for a change.
            """
        ),
        ["getJobMetrics"] = (
            "Get the metrics of a job's epochs",
            """
            One item for each finished epoch; the list grows while the job trains. The validation figures are against hard labels.
            `format=csv` gives the same as CSV. A matching If-None-Match is answered with 304.
            """
        ),
        ["getJobTensorboard"] = (
            "Download the metrics for TensorBoard",
            """
            An event file of scalars, tagged as in the JSON of the metrics; steps are epochs. The figures of the test set are at
            the kept epoch. Save it under the name in `Content-Disposition`, for TensorBoard reads only files with such names.
            """
        ),
        ["getJobAttempts"] = (
            "Get the attempts at a job",
            """
            Which worker tried, when, how the attempt ended and why, oldest first. The last attempt may still run. A failed
            attempt carries the last lines that its runner wrote on standard error.
            """
        ),
        ["streamJobEvents"] = (
            "Follow a job",
            """
            A stream of server-sent events: `state`, `attempt`, `epoch` and `progress`. It begins with what the job is and has so
            far, and ends after the terminal `state`. The data is JSON: `jobId`, `studyId`, and a member named as the event with
            what `getJob`, `getJobAttempts` and `getJobMetrics` show of it. With the `id` of an event as Last-Event-ID it continues
            after that event. A comment line comes every 15 s. 204: the job has ended, and the client has all its events.
            """
        ),
        ["getJobNotifications"] = (
            "Get the notifications of a job's end",
            """
            One item for each end of the job, oldest first, when its spec has `notify`; each with its tries: time, status of the
            answer, error, duration. A job that is retried ends again.
            """
        ),
        ["cancelJob"] = (
            "Cancel a job",
            """
            A queued or paused job is cancelled at once (200). A running job is asked to stop and shows as `cancelling` (202); the
            epochs that it has reported stay. Asking again is harmless.
            """
        ),
        ["pauseJob"] = (
            "Pause a job",
            """
            A queued job is paused at once (200). A running job writes a checkpoint, frees its slot and shows as `pausing` until
            then (202). Asking again is harmless.
            """
        ),
        ["resumeJob"] = (
            "Resume a paused job",
            """
            The job is queued again at the place that its age and priority give it. It continues from its checkpoint on any
            worker. Asking again is harmless.
            """
        ),
        ["retryJob"] = (
            "Retry a failed or cancelled job",
            """
            The job is queued again with all its attempts before it, and continues from its last checkpoint if it has one. With
            `fresh=true` its epochs and checkpoint are deleted and it starts from the beginning. Asking again is harmless.
            """
        ),
        ["deleteJob"] = (
            "Delete a job",
            """
            Deletes the job with its metrics, attempts, logits and model. Cancel or pause a running job first. A job that is gone
            is a 404.
            """
        ),
        ["pinJob"] = ("Pin a job", "Retention removes nothing of a pinned job. Asking again is harmless."),
        ["unpinJob"] = ("Unpin a job", "Retention applies to the job again. Asking again is harmless."),
        ["reproduceJob"] = (
            "Run a job's spec once more",
            """
            Queues a job with the spec of one that has succeeded. When the new job has succeeded too, its `/reproduction` says
            whether the results are the same. With an `Idempotency-Key`, sending the request again gives the same job.
            """
        ),
        ["getJobReproduction"] = (
            "Compare a repeated job with its original",
            """
            The results are bit-equal, equal within tolerance, or different. The answer also says what else changed between the
            two runs: data, build, libtorch, device, threads.
            """
        ),
        ["getJobCalibration"] = (
            "Get the calibration report",
            """
            The service computes the report in float64 from the stored test logits, before and after a temperature that is fitted
            on the validation split. Every figure comes with its uncertainty. The verdict rests on a consistency test of the largest
            probability, and says what a kernel test of the probabilities of all classes finds. A matching If-None-Match is
            answered with 304.
            """
        ),
        ["getJobCorruptions"] = (
            "Get the figures under corruption",
            """
            For a job with `corruptions: true`: the figures of its model on the test images with noise, blur, rotation and less
            contrast, in five strengths each, before and after the temperature of the calibration report; and their means. A
            matching If-None-Match is answered with 304.
            """
        ),
        ["getJobLogits"] = (
            "Download logits",
            "An npz file of NumPy: `logits` float32 N×K and `labels` int32 N, of `split=test` or `split=validation`."
        ),
        ["getJobModel"] = (
            "Download the model",
            """
            `format=safetensors`: the weights with the keys of PyTorch (`conv1.weight` …); its metadata says how the images were
            normalized. `format=onnx`: the whole model. Its input `images` is N×H×W×C, uint8 or with `input=float32` float32, from 0
            to 255; its outputs are `logits`, `probabilities` and `calibrated`, with the temperature of the calibration report
            built in, or with another `calibrator`, fitted on the validation images. A calibrator that the job's stored logits do
            not allow is a 400, which names those that they allow.
            """
        ),
        ["predictJob"] = (
            "Get calibrated probabilities for images",
            """
            1 to 1,000 images of the size that the model was trained on: as JSON, as npz with `images` (uint8, N×H×W or N×H×W×C), or
            as PNG or JPEG files, one as the body or several as `files` of multipart/form-data. Grey images go to a model for
            colour; colour goes to a model for grey only where it is grey. The probabilities are softmax(logits / T), or by another
            `calibrator`, fitted on the validation images. A calibrator that the job's stored logits do not allow is a 400, which
            names those that they allow.
            """
        ),
        ["submitStudy"] = (
            "Submit a study",
            """
            Queues a job for each combination of the grid with each seed, all or none. Only `job` is required: a job spec whose ε
            the grid replaces. Poll `links.self` until `isTerminal` is true, then get `links.recommendation`. With
            `validateOnly=true` the study is checked and its cost estimated (200), and nothing is stored. With an
            `Idempotency-Key`, sending the same study again gives the same study.
            """
        ),
        ["listStudies"] = ("List studies", "The newest come first. Pass `next` of a page as `cursor` to get the following page."),
        ["getStudy"] = (
            "Get a study",
            """
            Its state and progress, and for each ε the means over seeds with 95 % intervals. `format=csv` gives the same as CSV. A
            matching If-None-Match is answered with 304. With `Prefer: wait=20` the answer waits up to 20 s for the end of the
            study, or with an If-None-Match for a change.
            """
        ),
        ["getStudyMetrics"] = (
            "Get the metrics of all epochs of a study's jobs",
            """
            One item for each finished epoch of each job, with the job's ε, seed and other values of the grid. Jobs come in the
            order of submission. `format=csv` gives the same as CSV. The answer is sent while it is read, however long it is.
            """
        ),
        ["getStudyRecommendation"] = (
            "Get what a study recommends",
            """
            The ε to use by the study's criterion on validation; which ε are statistically tied with the best; what so many seeds
            can find and how many more would settle a tie; and in sentences what smoothing does here. While jobs are left, the
            answer covers the finished ones.
            """
        ),
        ["getStudyReport"] = (
            "Export a study",
            """
            Everything about the study in one document: its rows, the recommendation, charts of each figure over ε, reliability
            diagrams and learning curves. The HTML page needs no other file. `format=json` gives the numbers. While jobs are left,
            the document covers the finished ones.
            """
        ),
        ["streamStudyEvents"] = (
            "Follow a study",
            """
            A stream of server-sent events: those of the study's jobs, as in `streamJobEvents`, and `study` with its state and the
            number of its jobs in each state. It begins with the states of the jobs and the study, and ends after the terminal
            `study`. With the `id` of an event as Last-Event-ID it continues after that event. 204: the study has ended, and the
            client has all its events.
            """
        ),
        ["getStudyNotifications"] = (
            "Get the notifications of a study's end",
            """
            One item for each end of the study, oldest first, when its spec has `notify`; each with its tries. A study that is
            extended or retried ends again. The notifications of its jobs are at the jobs.
            """
        ),
        ["cancelStudy"] = (
            "Cancel a study",
            "Waiting jobs are cancelled at once, and running ones are asked to stop. Succeeded jobs stay. Asking again is harmless."
        ),
        ["pauseStudy"] = (
            "Pause a study",
            "Waiting jobs are paused at once. Running ones write a checkpoint and free their slots. Asking again is harmless."
        ),
        ["resumeStudy"] = (
            "Resume a study",
            "Its paused jobs are queued again and continue from their checkpoints. Asking again is harmless."
        ),
        ["retryStudy"] = (
            "Retry what failed in a study",
            """
            Its failed jobs are queued again with all their attempts before them, and continue from their checkpoints. Jobs of
            arms that halving has dropped are not. Asking again is harmless.
            """
        ),
        ["pinStudy"] = ("Pin a study", "Retention removes nothing of the study or its jobs while it is pinned. Asking again is harmless."),
        ["unpinStudy"] = ("Unpin a study", "Retention applies to the study again. Asking again is harmless."),
        ["extendStudy"] = (
            "Extend a study",
            """
            Adds ε, seeds or both, and queues the jobs that the wider grid has and the study lacks. A new `budget` replaces the
            old one; where it has minutes left, jobs that were cancelled for lack of minutes are queued again. Existing jobs are
            left as they are, so asking again for the same ε and listed seeds is harmless.
            """
        ),
        ["deleteStudy"] = (
            "Delete a study",
            """
            Deletes the study with all its jobs, their metrics, logits and models. While a job of it runs, the answer is a 409:
            cancel or pause the study first.
            """
        ),
        ["streamEvents"] = (
            "Follow all jobs and studies",
            """
            A stream of server-sent events: those of `streamJobEvents` and `streamStudyEvents` for every job and study. It begins
            with what happens next or, with the `id` of an event as Last-Event-ID, after that event. It does not end.
            """
        ),
        ["submitEvaluation"] = (
            "Evaluate a model that was trained elsewhere",
            """
            Takes an npz file of NumPy, as the body or as the file of a form: `logits` or `probabilities` (N×K), `labels` (N), for
            the temperature `validation_logits` or `validation_probabilities` with `validation_labels`, and `true_probabilities`
            if known. Answers the evaluation with its calibration report (201), which is that of a job with the same logits.
            Without a validation part T is cross-fitted, which `report.crossFit` describes. With an `Idempotency-Key`, sending
            the same file and name again gives the same evaluation; another under that key is a 422. The request waits for its
            turn as a report does; when that takes too long, the answer is a 503 with `Retry-After`. A 404 says that another request
            has deleted the evaluation before this answer.
            """
        ),
        ["listEvaluations"] = ("List evaluations", "The newest come first. Pass `next` of a page as `cursor` to get the following page."),
        ["getEvaluation"] = ("Get an evaluation", "What was evaluated, and the main figures of its report."),
        ["getEvaluationCalibration"] = (
            "Get the calibration report of an evaluation",
            """
            The report of `getJobCalibration`, from the stored logits of the evaluation and with the same options. A matching
            If-None-Match is answered with 304.
            """
        ),
        ["deleteEvaluation"] = ("Delete an evaluation", "Deletes the evaluation with its logits. One that is gone is a 404."),
        ["listDatasets"] = (
            "List data sets",
            """
            What a job spec's `dataset` may name: the sets that every installation has, whose files workers download when they
            first need them, and the versions of uploaded ones, newest first.
            """
        ),
        ["addDataset"] = (
            "Add a data set",
            """
            Takes an npz (`images` uint8 N×H×W or N×H×W×C, `labels`; optional `validation_images`, `validation_labels`,
            `test_images`, `test_labels`, `class_names`), the four IDX files (as a zip or as `files` of multipart/form-data),
            or a zip of PNG and JPEG files in a folder per class. H and W are 4 to 256, C is 1 or 3, and there are 2 to 1,000
            classes. A set without a test part gets one: a fifth of each class, drawn with `seed`. A name that is there gets the
            next version (201). The same content again is the version that has it (200). A version never changes.
            """
        ),
        ["getDataset"] = (
            "Get a data set",
            "One version, such as `birds@3`; `birds` is the newest. With the number of images of each class in each part."
        ),
        ["getDatasetSamples"] = (
            "Get a contact sheet of a data set",
            """
            A PNG of up to 100 training images, ten to a row: the first ones of each class, class after class. Images above 64
            pixels are reduced.
            """
        ),
        ["getDatasetMean"] = ("Get the mean image of a data set", "A PNG: the mean of all training images, pixel by pixel."),
        ["deleteDataset"] = (
            "Delete a data set",
            """
            Deletes one version; without a version the newest. While a job or a study is on it, the answer is a 409. Its number
            is never given to another version.
            """
        ),
        ["listWorkers"] = (
            "List workers",
            "Each worker with its device, its cards, how many of its slots are taken, and those of your jobs that it runs now."
        ),
        ["drainWorker"] = (
            "Drain a worker",
            """
            From this answer on the worker claims no job. The jobs that it runs go on to their end; its state is `draining`, then
            `drained`. Asking again is harmless. A worker process that is started again is another worker, which is not drained.
            """
        ),
        ["resumeWorker"] = ("Resume a worker", "A drained worker claims jobs again. Asking again is harmless."),
        ["listTenants"] = ("List tenants", "With a key of scope `admin` all tenants, otherwise your own: what they use and may use."),
        ["getTenant"] = (
            "Get a tenant",
            """
            How many of its jobs are queued and running, the device seconds of this month (UTC), the bytes of uploads, and its quotas. A
            tenant without quotas is not limited. Without the scope `admin`, other tenants than your own are a 404.
            """
        ),
        ["setTenant"] = (
            "Set the quotas of a tenant",
            """
            Replaces all quotas; a field that is absent or null is no limit. Jobs that are queued or running stay. A submission beyond
            `maxQueued` is a 429, an upload beyond `maxUploadedBytes` a 413; jobs beyond the other quotas wait, and say so in `reason`.
            """
        ),
        ["getSession"] = (
            "Get who is signed in",
            """
            Whether this API needs a key; the name, tenant and scopes of the one that the request carries, or that its browser signed
            in with. It needs no key itself.
            """
        ),
        ["signIn"] = (
            "Sign in with a key",
            """
            Sets a cookie that stands for the key in requests of pages of this host, for 12 hours. Scripts of a page cannot read
            it. A form may name a path in `returnTo`; the answer is then a redirect to it (303). After 10 tries of an address
            within a minute the answer is a 429.
            """
        ),
        ["signOut"] = ("Sign out", "Ends the session and deletes the cookie in this browser. Asking again is harmless."),
        ["createKey"] = (
            "Make a key",
            """
            Makes a key for a tenant with the given scopes. The answer has the key in `secret`; it is not stored and no other answer
            has it. `expires` is a time from now, such as `90d`. A name is unique among the keys of a tenant that are not revoked
            (409).
            """
        ),
        ["listKeys"] = ("List keys", "The keys of all tenants, newest first, revoked ones included. The keys themselves are not stored."),
        ["revokeKey"] = ("Revoke a key", "Every API process refuses the key and its sessions from now on. Asking again is harmless."),
        ["listAudit"] = (
            "List who changed what",
            """
            The requests that changed something, and those that were refused although their key is known, of all tenants or of
            `tenant`, newest first. Pass `next` of a page as `cursor` to get the following page.
            """
        ),
        ["getVersion"] = ("Get the service's version", "Which build answers, and what it runs on."),
    };

    public void Apply(OpenApiOperation operation, OperationFilterContext context) =>
        (operation.Summary, operation.Description) = All.TryGetValue(operation.OperationId!, out var texts)
            ? (texts.Summary, texts.Description.ReplaceLineEndings(" ")) // Swagger UI would show each line break
            : throw new InvalidOperationException($"{nameof(OperationTexts)} says nothing of {operation.OperationId}.");
}
