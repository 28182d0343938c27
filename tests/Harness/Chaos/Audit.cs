namespace Temper.Harness.Chaos;

/// <summary>
/// Triggers that record every state a job enters and every epoch that is stored, in the same transactions. They take the times
/// under the job's row lock, so the times are in the order of the events.
/// </summary>
public static class Audit
{
    public static Task InstallAsync(ChaosDatabase database) =>
        database.ExecuteAsync(
            """
            CREATE TABLE chaos_states (job uuid, state text, attempt int, reason text, at timestamptz DEFAULT clock_timestamp());
            CREATE INDEX ON chaos_states (job); -- a run of two hours has so many rows that CheckAsync would time out without it
            CREATE FUNCTION chaos_state() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO chaos_states (job, state, attempt, reason) VALUES (NEW.id, NEW.state, NEW.attempt, NEW.reason); RETURN
                NULL; END $$;
            CREATE TRIGGER chaos_first_state AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION chaos_state();
            CREATE TRIGGER chaos_next_state AFTER UPDATE ON jobs FOR EACH ROW
                WHEN ((OLD.state, OLD.attempt) IS DISTINCT FROM (NEW.state, NEW.attempt)) EXECUTE FUNCTION chaos_state();

            CREATE TABLE chaos_epochs (job uuid, epoch int, attempt int, held_attempt int, held_state text, at timestamptz DEFAULT
            clock_timestamp());
            CREATE FUNCTION chaos_epoch() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO chaos_epochs (job, epoch, attempt, held_attempt, held_state)
                     SELECT NEW.job_id, NEW.epoch, NEW.attempt, attempt, state FROM jobs WHERE id = NEW.job_id; RETURN NULL; END $$;
            CREATE TRIGGER chaos_epoch AFTER INSERT OR UPDATE ON epochs FOR EACH ROW EXECUTE FUNCTION chaos_epoch();
            """
        );

    /// <summary>
    /// Reports every broken rule that the tables show. The jobs of a chaos run have a key that begins with `chaos-`.
    /// </summary>
    public static async Task CheckAsync(ChaosDatabase database, Violations violations)
    {
        await ReportAsync(
            Rule.FinalStateNotReachedOnce,
            """
            SELECT id, count(chaos_states.job) || ' times' FROM jobs
            LEFT JOIN chaos_states ON chaos_states.job = id AND chaos_states.state IN ('succeeded', 'failed', 'cancelled')
            WHERE idempotency_key LIKE 'chaos-%' GROUP BY id HAVING count(chaos_states.job) <> 1
            """
        );
        await ReportAsync(
            Rule.AttemptClaimedTwice,
            "SELECT job, 'attempt ' || attempt FROM chaos_states WHERE state = 'running' GROUP BY job, attempt HAVING count(*) > 1"
        );
        // The query checks what the writer's transaction saw, and the order of the times, which a write without a lock would
        // break.
        await ReportAsync(
            Rule.WriteByAnAttemptThatDidNotHoldTheJob,
            """
            SELECT job, 'epoch ' || epoch || ' by attempt ' || attempt || ' while ' || held_state || ' under attempt ' || held_attempt
            FROM chaos_epochs epoch_write
            WHERE held_state <> 'running' OR held_attempt <> attempt
               OR NOT EXISTS (SELECT FROM chaos_states claim WHERE claim.job = epoch_write.job AND claim.attempt = epoch_write.attempt
                                AND claim.state = 'running' AND claim.at < epoch_write.at)
               OR EXISTS (SELECT FROM chaos_states later WHERE later.job = epoch_write.job AND later.at < epoch_write.at
                            AND (later.attempt > epoch_write.attempt OR later.attempt = epoch_write.attempt AND later.state <> 'running'))
            """
        );
        await ReportAsync(
            Rule.EpochMissingOrDoubled,
            """
            SELECT id, 'has ' || string_agg(epoch::text, ' ' ORDER BY epoch) FROM jobs LEFT JOIN epochs ON job_id = id
            WHERE idempotency_key LIKE 'chaos-%' AND state = 'succeeded' GROUP BY id
            HAVING coalesce(array_agg(epoch ORDER BY epoch), '{}') <> ARRAY(SELECT generate_series(1, (spec->>'epochs')::int))
            """
        );

        async Task ReportAsync(Rule rule, string sql)
        {
            foreach (var row in await database.RowsAsync(sql))
                violations.Add(rule, row);
        }
    }
}
