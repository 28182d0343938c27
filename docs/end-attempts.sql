-- The statements that end attempts, as src/Store/Queue puts them together. @name is a parameter.
-- Each locks the rows of its jobs, moves the jobs to their next state, adds their time to the usage of their
-- tenants, and writes the attempts into the history, all or nothing.

-- SucceedAsync
WITH held AS (
    SELECT id, tenant, attempt, worker_id, claimed_at, training_started_at, attempt_note, reason AS stopped_because,
           'succeeded' AS next,
           0 AS delay
    FROM jobs WHERE id = @id AND attempt = @attempt AND state = 'running' ORDER BY id FOR UPDATE),
ended AS (
    UPDATE jobs
    SET state = held.next, failures = failures + 0, run_at = clock_timestamp() + interval '1 second' * held.delay,
        finished_at = CASE WHEN held.next IN ('succeeded', 'failed', 'cancelled') THEN clock_timestamp() END,
        reason = CASE WHEN held.next IN ('cancelled', 'paused') THEN coalesce(stopped_because, next || ' while running') ELSE @reason END,
        progress = CASE WHEN held.next IN ('cancelled', 'paused', 'failed') THEN progress END,
        worker_id = NULL, stop_requested = NULL, result = @result
    FROM held WHERE jobs.id = held.id
    RETURNING jobs.id, CASE state WHEN 'queued' THEN pg_notify('temper_jobs', 'queued') END),
used AS (INSERT INTO tenant_usage (month, tenant, part, device_seconds, last_claimed)
    SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date, tenant, pg_backend_pid() % 8, sum(extract(epoch FROM clock_timestamp() - claimed_at)), max(claimed_at)
    FROM held JOIN ended USING (id) GROUP BY tenant ORDER BY tenant
    ON CONFLICT (month, tenant, part) DO UPDATE SET
        device_seconds = tenant_usage.device_seconds + excluded.device_seconds,
        last_claimed = greatest(tenant_usage.last_claimed, excluded.last_claimed)),
over AS (DELETE FROM checkpoints WHERE job_id = (SELECT id FROM ended)),
kept AS (
    INSERT INTO models (
        job_id, weights, classes, validation_logits, validation_labels, test_logits, test_labels, true_probabilities)
    SELECT
        id, @weights, @classes, @validation_logits, @validation_labels, @test_logits, @test_labels, @true_probabilities
    FROM ended),
scored AS (
    INSERT INTO scores (
        job_id, train_accuracy, best_epoch, best_epoch_after_temperature, validation_images, test_images,
        temperature,
        validation_accuracy,
        validation_nll,
        validation_brier,
        validation_ece,
        validation_signed_gap,
        validation_aurc,
        validation_nll_after_temperature,
        validation_ece_after_temperature,
        validation_debiased_ece,
        validation_smooth_ece,
        validation_debiased_ece_after_temperature,
        validation_smooth_ece_after_temperature,
        validation_augrc,
        test_accuracy,
        test_nll,
        test_brier,
        test_ece,
        test_signed_gap,
        test_aurc,
        test_nll_after_temperature,
        test_ece_after_temperature,
        test_debiased_ece,
        test_smooth_ece,
        test_debiased_ece_after_temperature,
        test_smooth_ece_after_temperature,
        test_augrc)
    SELECT
        id, trained.train_accuracy, best.epoch,
        (SELECT epoch FROM epochs WHERE job_id = ended.id AND validation_loss_after_temperature IS NOT NULL
         ORDER BY validation_loss_after_temperature, epoch LIMIT 1),
        octet_length(@validation_labels) / 4, octet_length(@test_labels) / 4,
        @temperature,
        @validation_accuracy,
        @validation_nll,
        @validation_brier,
        @validation_ece,
        @validation_signed_gap,
        @validation_aurc,
        @validation_nll_after_temperature,
        @validation_ece_after_temperature,
        @validation_debiased_ece,
        @validation_smooth_ece,
        @validation_debiased_ece_after_temperature,
        @validation_smooth_ece_after_temperature,
        @validation_augrc,
        @test_accuracy,
        @test_nll,
        @test_brier,
        @test_ece,
        @test_signed_gap,
        @test_aurc,
        @test_nll_after_temperature,
        @test_ece_after_temperature,
        @test_debiased_ece,
        @test_smooth_ece,
        @test_debiased_ece_after_temperature,
        @test_smooth_ece_after_temperature,
        @test_augrc
    FROM ended, LATERAL (SELECT train_accuracy FROM epochs WHERE job_id = ended.id AND epoch <= @kept_epoch
                         ORDER BY epoch DESC LIMIT 1) trained,
         LATERAL (SELECT epoch FROM epochs WHERE job_id = ended.id ORDER BY validation_loss, epoch LIMIT 1) best
    WHERE @temperature IS NOT NULL),
corrupted AS (
    INSERT INTO corruption_scores (
        job_id, kind, strength,
        accuracy, nll, brier, ece, signed_gap, aurc, nll_after_temperature, ece_after_temperature, debiased_ece, smooth_ece, debiased_ece_after_temperature, smooth_ece_after_temperature, augrc)
    SELECT id, corrupted.*
    FROM ended, unnest(
        @corrupted_kind, @corrupted_strength,
        @corrupted_accuracy, @corrupted_nll, @corrupted_brier, @corrupted_ece, @corrupted_signed_gap, @corrupted_aurc, @corrupted_nll_after_temperature, @corrupted_ece_after_temperature, @corrupted_debiased_ece, @corrupted_smooth_ece, @corrupted_debiased_ece_after_temperature, @corrupted_smooth_ece_after_temperature, @corrupted_augrc) corrupted)
INSERT INTO attempts (job_id, attempt, worker, claimed_at, training_started_at, ended_at, outcome, reason, note, error_output)
SELECT held.id, attempt, workers.name, claimed_at, training_started_at, clock_timestamp(),
       'succeeded', @reason, attempt_note, @error_output
FROM held JOIN ended USING (id) JOIN workers ON workers.id = held.worker_id;

-- FailAsync
WITH held AS (
    SELECT id, tenant, attempt, worker_id, claimed_at, training_started_at, attempt_note, reason AS stopped_because,
           CASE stop_requested WHEN 'cancel' THEN 'cancelled' ELSE 'failed' END AS next,
           0 AS delay
    FROM jobs WHERE id = @id AND attempt = @attempt AND state = 'running' ORDER BY id FOR UPDATE),
ended AS (
    UPDATE jobs
    SET state = held.next, failures = failures + 1, run_at = clock_timestamp() + interval '1 second' * held.delay,
        finished_at = CASE WHEN held.next IN ('succeeded', 'failed', 'cancelled') THEN clock_timestamp() END,
        reason = CASE WHEN held.next IN ('cancelled', 'paused') THEN coalesce(stopped_because, next || ' while running') ELSE @reason END,
        progress = CASE WHEN held.next IN ('cancelled', 'paused', 'failed') THEN progress END,
        worker_id = NULL, stop_requested = NULL
    FROM held WHERE jobs.id = held.id
    RETURNING jobs.id, CASE state WHEN 'queued' THEN pg_notify('temper_jobs', 'queued') END),
used AS (INSERT INTO tenant_usage (month, tenant, part, device_seconds, last_claimed)
    SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date, tenant, pg_backend_pid() % 8, sum(extract(epoch FROM clock_timestamp() - claimed_at)), max(claimed_at)
    FROM held JOIN ended USING (id) GROUP BY tenant ORDER BY tenant
    ON CONFLICT (month, tenant, part) DO UPDATE SET
        device_seconds = tenant_usage.device_seconds + excluded.device_seconds,
        last_claimed = greatest(tenant_usage.last_claimed, excluded.last_claimed))
INSERT INTO attempts (job_id, attempt, worker, claimed_at, training_started_at, ended_at, outcome, reason, note, error_output)
SELECT held.id, attempt, workers.name, claimed_at, training_started_at, clock_timestamp(),
       'failed', @reason, attempt_note, @error_output
FROM held JOIN ended USING (id) JOIN workers ON workers.id = held.worker_id;

-- GiveBackAsync
WITH held AS (
    SELECT id, tenant, attempt, worker_id, claimed_at, training_started_at, attempt_note, reason AS stopped_because,
           CASE WHEN stop_requested = 'cancel' THEN 'cancelled'
     WHEN failures + 1 >= (spec->>'maxAttempts')::int THEN 'failed'
     WHEN stop_requested = 'pause' THEN 'paused'
     ELSE 'queued' END AS next,
           least(power(2, failures), 60) * (0.75 + random() / 2) AS delay
    FROM jobs WHERE id = @id AND attempt = @attempt AND state = 'running' ORDER BY id FOR UPDATE),
ended AS (
    UPDATE jobs
    SET state = held.next, failures = failures + 1, run_at = clock_timestamp() + interval '1 second' * held.delay,
        finished_at = CASE WHEN held.next IN ('succeeded', 'failed', 'cancelled') THEN clock_timestamp() END,
        reason = CASE WHEN held.next IN ('cancelled', 'paused') THEN coalesce(stopped_because, next || ' while running') ELSE @reason END,
        progress = CASE WHEN held.next IN ('cancelled', 'paused', 'failed') THEN progress END,
        worker_id = NULL, stop_requested = NULL
    FROM held WHERE jobs.id = held.id
    RETURNING jobs.id, CASE state WHEN 'queued' THEN pg_notify('temper_jobs', 'queued') END),
used AS (INSERT INTO tenant_usage (month, tenant, part, device_seconds, last_claimed)
    SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date, tenant, pg_backend_pid() % 8, sum(extract(epoch FROM clock_timestamp() - claimed_at)), max(claimed_at)
    FROM held JOIN ended USING (id) GROUP BY tenant ORDER BY tenant
    ON CONFLICT (month, tenant, part) DO UPDATE SET
        device_seconds = tenant_usage.device_seconds + excluded.device_seconds,
        last_claimed = greatest(tenant_usage.last_claimed, excluded.last_claimed))
INSERT INTO attempts (job_id, attempt, worker, claimed_at, training_started_at, ended_at, outcome, reason, note, error_output)
SELECT held.id, attempt, workers.name, claimed_at, training_started_at, clock_timestamp(),
       'failed', @reason, attempt_note, @error_output
FROM held JOIN ended USING (id) JOIN workers ON workers.id = held.worker_id;

-- HandBackAsync
WITH held AS (
    SELECT id, tenant, attempt, worker_id, claimed_at, training_started_at, attempt_note, reason AS stopped_because,
           CASE stop_requested WHEN 'cancel' THEN 'cancelled' WHEN 'pause' THEN 'paused' ELSE 'queued' END AS next,
           0 AS delay
    FROM jobs WHERE id = @id AND attempt = @attempt AND state = 'running' ORDER BY id FOR UPDATE),
ended AS (
    UPDATE jobs
    SET state = held.next, failures = failures + 0, run_at = clock_timestamp() + interval '1 second' * held.delay,
        finished_at = CASE WHEN held.next IN ('succeeded', 'failed', 'cancelled') THEN clock_timestamp() END,
        reason = CASE WHEN held.next IN ('cancelled', 'paused') THEN coalesce(stopped_because, next || ' while running') ELSE @reason END,
        progress = CASE WHEN held.next IN ('cancelled', 'paused', 'failed') THEN progress END,
        worker_id = NULL, stop_requested = NULL
    FROM held WHERE jobs.id = held.id
    RETURNING jobs.id, CASE state WHEN 'queued' THEN pg_notify('temper_jobs', 'queued') END),
used AS (INSERT INTO tenant_usage (month, tenant, part, device_seconds, last_claimed)
    SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date, tenant, pg_backend_pid() % 8, sum(extract(epoch FROM clock_timestamp() - claimed_at)), max(claimed_at)
    FROM held JOIN ended USING (id) GROUP BY tenant ORDER BY tenant
    ON CONFLICT (month, tenant, part) DO UPDATE SET
        device_seconds = tenant_usage.device_seconds + excluded.device_seconds,
        last_claimed = greatest(tenant_usage.last_claimed, excluded.last_claimed))
INSERT INTO attempts (job_id, attempt, worker, claimed_at, training_started_at, ended_at, outcome, reason, note, error_output)
SELECT held.id, attempt, workers.name, claimed_at, training_started_at, clock_timestamp(),
       CASE next WHEN 'queued' THEN 'handed_back' ELSE next END, CASE next WHEN 'queued' THEN @reason ELSE coalesce(stopped_because, next || ' while running') END, attempt_note, @error_output
FROM held JOIN ended USING (id) JOIN workers ON workers.id = held.worker_id;

-- LeaveAsync
WITH held AS (
    SELECT id, tenant, attempt, worker_id, claimed_at, training_started_at, attempt_note, reason AS stopped_because,
           CASE stop_requested WHEN 'cancel' THEN 'cancelled' WHEN 'pause' THEN 'paused' ELSE 'queued' END AS next,
           0 AS delay
    FROM jobs WHERE worker_id = @worker AND state = 'running' ORDER BY id FOR UPDATE),
ended AS (
    UPDATE jobs
    SET state = held.next, failures = failures + 0, run_at = clock_timestamp() + interval '1 second' * held.delay,
        finished_at = CASE WHEN held.next IN ('succeeded', 'failed', 'cancelled') THEN clock_timestamp() END,
        reason = CASE WHEN held.next IN ('cancelled', 'paused') THEN coalesce(stopped_because, next || ' while running') ELSE @reason END,
        progress = CASE WHEN held.next IN ('cancelled', 'paused', 'failed') THEN progress END,
        worker_id = NULL, stop_requested = NULL
    FROM held WHERE jobs.id = held.id
    RETURNING jobs.id, CASE state WHEN 'queued' THEN pg_notify('temper_jobs', 'queued') END),
used AS (INSERT INTO tenant_usage (month, tenant, part, device_seconds, last_claimed)
    SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date, tenant, pg_backend_pid() % 8, sum(extract(epoch FROM clock_timestamp() - claimed_at)), max(claimed_at)
    FROM held JOIN ended USING (id) GROUP BY tenant ORDER BY tenant
    ON CONFLICT (month, tenant, part) DO UPDATE SET
        device_seconds = tenant_usage.device_seconds + excluded.device_seconds,
        last_claimed = greatest(tenant_usage.last_claimed, excluded.last_claimed))
INSERT INTO attempts (job_id, attempt, worker, claimed_at, training_started_at, ended_at, outcome, reason, note, error_output)
SELECT held.id, attempt, workers.name, claimed_at, training_started_at, clock_timestamp(),
       CASE next WHEN 'queued' THEN 'handed_back' ELSE next END, CASE next WHEN 'queued' THEN @reason ELSE coalesce(stopped_because, next || ' while running') END, attempt_note, @error_output
FROM held JOIN ended USING (id) JOIN workers ON workers.id = held.worker_id;

-- RescueAsync
WITH held AS (
    SELECT id, tenant, attempt, worker_id, claimed_at, training_started_at, attempt_note, reason AS stopped_because,
           CASE WHEN stop_requested = 'cancel' THEN 'cancelled'
     WHEN failures + 1 >= (spec->>'maxAttempts')::int THEN 'failed'
     WHEN stop_requested = 'pause' THEN 'paused'
     ELSE 'queued' END AS next,
           least(power(2, failures) - 1, 60) * (0.75 + random() / 2) AS delay
    FROM jobs WHERE worker_id = @worker AND state = 'running' AND (SELECT heartbeat_at FROM workers WHERE id = @worker) = @heartbeat_at ORDER BY id FOR UPDATE),
ended AS (
    UPDATE jobs
    SET state = held.next, failures = failures + 1, run_at = clock_timestamp() + interval '1 second' * held.delay,
        finished_at = CASE WHEN held.next IN ('succeeded', 'failed', 'cancelled') THEN clock_timestamp() END,
        reason = CASE WHEN held.next IN ('cancelled', 'paused') THEN coalesce(stopped_because, next || ' while running') ELSE @reason END,
        progress = CASE WHEN held.next IN ('cancelled', 'paused', 'failed') THEN progress END,
        worker_id = NULL, stop_requested = NULL
    FROM held WHERE jobs.id = held.id
    RETURNING jobs.id, CASE state WHEN 'queued' THEN pg_notify('temper_jobs', 'queued') END),
used AS (INSERT INTO tenant_usage (month, tenant, part, device_seconds, last_claimed)
    SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date, tenant, pg_backend_pid() % 8, sum(extract(epoch FROM clock_timestamp() - claimed_at)), max(claimed_at)
    FROM held JOIN ended USING (id) GROUP BY tenant ORDER BY tenant
    ON CONFLICT (month, tenant, part) DO UPDATE SET
        device_seconds = tenant_usage.device_seconds + excluded.device_seconds,
        last_claimed = greatest(tenant_usage.last_claimed, excluded.last_claimed))
INSERT INTO attempts (job_id, attempt, worker, claimed_at, training_started_at, ended_at, outcome, reason, note, error_output)
SELECT held.id, attempt, workers.name, claimed_at, training_started_at, clock_timestamp(),
       'lost', @reason, attempt_note, @error_output
FROM held JOIN ended USING (id) JOIN workers ON workers.id = held.worker_id;
