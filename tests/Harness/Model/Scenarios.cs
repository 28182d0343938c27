namespace Temper.Harness.Model;

/// <summary>
/// The queue's behaviour as scripts with their answers. The simulation's tests play them on the twin, the integration tests on
/// PostgreSQL as well.
/// </summary>
public static class Scenarios
{
    /// <summary>The scenarios by name. A line is `operation => answer`.</summary>
    public static IReadOnlyDictionary<string, string> All { get; } =
        new Dictionary<string, string>
        {
            ["a job from submission to success"] = """
                submit A => stored
                beat 1 => nothing
                claim 1 => A#1
                claim 1 => nothing
                row A => running; A#1; of 1
                start A#1 => yes
                report A#1 1 checkpoint 2 => yes
                report A#1 2,3 => yes
                row A => running; A#1; of 1; training; epochs 1@1 2@1 3@1; checkpoint 2
                succeed A#1 => yes
                row A => succeeded; A#1; training; epochs 1@1 2@1 3@1; attempts 1 succeeded
                succeed A#1 => no
                """,
            ["the highest priority first, then the oldest; cuda only where there is one"] = """
                submit A => stored
                submit B priority 1 => stored
                submit C priority 2 cuda => stored
                beat 1 => nothing
                claim 1 => B#1
                claim 1 => A#1
                claim 1 => nothing
                claim 1 cuda => C#1
                """,
            ["a worker leaves jobs of a later revision to workers of newer builds"] = """
                submit A max 1 priority 1 revision 2 => stored
                submit B => stored
                beat 1 => nothing
                beat 2 => nothing
                claim 1 knows 1 => B#1
                claim 1 knows 1 => nothing
                row A => queued; A#0
                claim 2 knows 2 => A#1
                handback A#1 => yes
                claim 1 knows 1 => nothing
                claim 2 knows 3 => A#2
                """,
            ["a worker without a row claims nothing"] = """
                submit A => stored
                claim 1 => nothing
                row A => queued; A#0
                """,
            ["a drained worker finishes what it runs and claims nothing until it is resumed"] = """
                drain 1 => no
                submit A => stored
                submit B => stored
                beat 1 => nothing
                beat 2 => nothing
                claim 1 => A#1
                drain 1 => yes
                drain 1 => yes
                claim 1 => nothing
                beat 1 A#1 => A#1
                claim 1 => nothing
                succeed A#1 => yes
                claim 1 cuda => nothing
                undrain 2 => yes
                claim 2 => B#1
                handback B#1 => yes
                undrain 1 => yes
                claim 1 => B#2
                """,
            ["a drained worker that leaves and comes back is not drained"] = """
                submit A => stored
                beat 1 => nothing
                drain 1 => yes
                leave 1 => left
                undrain 1 => no
                beat 1 => nothing
                claim 1 => A#1
                """,
            ["failures are counted, wait, and end at maxAttempts"] = """
                submit A max 2 => stored
                beat 1 => nothing
                claim 1 => A#1
                giveback A#1 => yes
                row A => queued later; A#1; failures 1; attempts 1 failed; (it crashed)
                claim 1 => nothing
                pass 3 => later
                claim 1 => A#2
                giveback A#2 => yes
                row A => failed; A#2; failures 2; attempts 1 failed, 2 failed; (it crashed)
                """,
            ["an error that no attempt can mend"] = """
                submit A => stored
                beat 1 => nothing
                claim 1 => A#1
                fail A#1 => yes
                row A => failed; A#1; failures 1; attempts 1 failed; (it diverged)
                """,
            ["a hand-back counts nothing and waits for nothing"] = """
                submit A max 1 => stored
                beat 1 => nothing
                claim 1 => A#1
                handback A#1 => yes
                row A => queued; A#1; attempts 1 handedback; (its worker shut down)
                claim 1 => A#2
                row A => running; A#2; of 1; attempts 1 handedback
                """,
            ["a stale attempt writes nothing"] = """
                submit A => stored
                beat 1 => nothing
                claim 1 => A#1
                handback A#1 => yes
                claim 1 => A#2
                start A#1 => no
                report A#1 1 checkpoint 1 => no
                succeed A#1 => no
                fail A#1 => no
                giveback A#1 => no
                handback A#1 => no
                row A => running; A#2; of 1; attempts 1 handedback
                """,
            ["an epoch trained again replaces its row"] = """
                submit A => stored
                beat 1 => nothing
                claim 1 => A#1
                report A#1 1,2 => yes
                handback A#1 => yes
                claim 1 => A#2
                report A#2 2 checkpoint 3 => yes
                row A => running; A#2; of 1; epochs 1@1 2@2; checkpoint 3; attempts 1 handedback
                checkpoint A => 3
                """,
            ["a lost worker's jobs go to others"] = """
                submit A => stored
                submit B max 1 => stored
                beat 1 => nothing
                claim 1 => A#1
                claim 1 => B#1
                pass 11 => later
                watch 3 => 1 absent
                rescue 1 => A, B
                row A => queued; A#1; failures 1; attempts 1 lost; (its worker died)
                row B => failed; B#1; failures 1; attempts 1 lost; (its worker died)
                beat 1 A#1 B#1 => nothing
                """,
            ["the second loss waits"] = """
                submit A max 9 => stored
                beat 1 => nothing
                claim 1 => A#1
                watch 3 => 1 absent
                rescue 1 => A
                claim 1 => A#2
                watch 3 => 1 absent
                rescue 1 => A
                row A => queued later; A#2; failures 2; attempts 1 lost, 2 lost; (its worker died)
                """,
            ["a heartbeat that arrived since stops the rescue"] = """
                submit A => stored
                beat 1 => nothing
                claim 1 => A#1
                pass 11 => later
                watch 3 => 1 absent
                beat 1 A#1 => A#1
                rescue 1 => nothing
                row A => running; A#1; of 1
                """,
            ["a presence lock is seen while it is held"] = """
                submit A => stored
                submit B => stored
                beat 1 => nothing
                beat 2 => nothing
                lock 1 => done
                watch 3 => nothing
                watch 2 => 2 absent
                watch 1 => 1 present
                claim 1 => A#1
                claim 2 => B#1
                watch 3 => 1 present, 2 absent
                unlock 1 => done
                watch 3 => 1 absent, 2 absent
                """,
            ["a claim whose answer was lost goes back after ten seconds"] = """
                submit A => stored
                submit B => stored
                beat 1 => nothing
                claim 1 => A#1
                claim 1 => B#1
                beat 1 B#1 => B#1
                row A => running; A#1; of 1
                pass 11 => later
                beat 1 B#1 => B#1
                row A => queued; A#1; attempts 1 handedback; (its worker never heard that it was its own)
                row B => running; B#1; of 1
                """,
            ["such a claim, paused meanwhile"] = """
                submit A => stored
                beat 1 => nothing
                claim 1 => A#1
                pause A => yes
                pass 11 => later
                beat 1 => nothing
                row A => paused; A#1; attempts 1 paused; (paused while running)
                """,
            ["cancel, wherever the job stands"] = """
                submit A => stored
                cancel A => yes
                row A => cancelled; A#0; (cancelled while queued)
                cancel A => no
                submit B => stored
                pause B => yes
                cancel B => yes
                row B => cancelled; B#0; (cancelled while paused)
                submit C => stored
                beat 1 => nothing
                claim 1 => C#1
                cancel C => yes
                cancel C => yes
                beat 1 C#1 => C#1 cancel
                row C => running; C#1; of 1; to cancel
                handback C#1 => yes
                row C => cancelled; C#1; attempts 1 cancelled; (cancelled while running)
                """,
            ["a cancel holds whatever else ends the attempt, but for success"] = """
                submit A max 1 => stored
                submit B max 1 => stored
                submit C max 1 => stored
                beat 1 => nothing
                claim 1 => A#1
                claim 1 => B#1
                claim 1 => C#1
                cancel A => yes
                cancel B => yes
                cancel C => yes
                giveback A#1 => yes
                row A => cancelled; A#1; failures 1; attempts 1 failed; (cancelled while running)
                fail B#1 => yes
                row B => cancelled; B#1; failures 1; attempts 1 failed; (cancelled while running)
                succeed C#1 => yes
                row C => succeeded; C#1; attempts 1 succeeded
                """,
            ["a cancel holds in a rescue"] = """
                submit A => stored
                beat 1 => nothing
                claim 1 => A#1
                cancel A => yes
                watch 3 => 1 absent
                rescue 1 => A
                row A => cancelled; A#1; failures 1; attempts 1 lost; (cancelled while running)
                """,
            ["pause and resume, queued and running"] = """
                submit A => stored
                pause A => yes
                row A => paused; A#0; (paused while queued)
                pause A => no
                beat 1 => nothing
                claim 1 => nothing
                resume A => yes
                row A => queued; A#0
                claim 1 => A#1
                pause A => yes
                pause A => no
                beat 1 A#1 => A#1 pause
                report A#1 checkpoint 1 => yes
                handback A#1 => yes
                row A => paused; A#1; checkpoint 1; attempts 1 paused; (paused while running)
                resume A => yes
                claim 1 => A#2
                checkpoint A => 1
                """,
            ["a pause withdrawn before its worker stopped"] = """
                submit A => stored
                beat 1 => nothing
                claim 1 => A#1
                pause A => yes
                resume A => yes
                row A => running; A#1; of 1
                handback A#1 => yes
                row A => queued; A#1; attempts 1 handedback; (its worker shut down)
                """,
            ["a cancel overrides a pause, and not the other way round"] = """
                submit A => stored
                beat 1 => nothing
                claim 1 => A#1
                pause A => yes
                cancel A => yes
                pause A => no
                resume A => no
                row A => running; A#1; of 1; to cancel
                """,
            ["a failure while a pause is asked for"] = """
                submit A => stored
                submit B max 1 => stored
                beat 1 => nothing
                claim 1 => A#1
                claim 1 => B#1
                pause A => yes
                pause B => yes
                giveback A#1 => yes
                row A => paused; A#1; failures 1; attempts 1 failed; (paused while running)
                giveback B#1 => yes
                row B => failed; B#1; failures 1; attempts 1 failed; (it crashed)
                """,
            ["retry goes on, retry fresh begins anew"] = """
                submit A max 1 => stored
                beat 1 => nothing
                claim 1 => A#1
                report A#1 1 checkpoint 2 => yes
                retry A => no
                giveback A#1 => yes
                retry A => yes
                row A => queued; A#1; epochs 1@1; checkpoint 2; attempts 1 failed
                claim 1 => A#2
                fail A#2 => yes
                retry A fresh => yes
                row A => queued; A#2; attempts 1 failed, 2 failed
                checkpoint A => none
                """,
            ["delete, but not while it runs"] = """
                submit A => stored
                beat 1 => nothing
                claim 1 => A#1
                report A#1 1 checkpoint 2 => yes
                delete A => no
                handback A#1 => yes
                delete A => yes
                row A => none
                delete A => no
                report A#1 2 => no
                succeed A#1 => no
                checkpoint A => none
                """,
            ["a worker that shuts down leaves no job behind"] = """
                submit A => stored
                submit B => stored
                beat 1 => nothing
                claim 1 => A#1
                claim 1 => B#1
                cancel B => yes
                leave 1 => left
                row A => queued; A#1; attempts 1 handedback; (its worker shut down)
                row B => cancelled; B#1; attempts 1 cancelled; (cancelled while running)
                claim 1 => nothing
                forget => nothing
                """,
            ["dead workers are forgotten after an hour, unless they own a job"] = """
                submit A => stored
                beat 1 => nothing
                beat 2 => nothing
                claim 1 => A#1
                pass 4000 => later
                beat 3 => nothing
                forget => 1, 3
                """,
        };

    /// <summary>The lines of a scenario, each with its expected answer.</summary>
    public static IEnumerable<(string Line, string Answer)> Lines(string scenario) =>
        All[scenario].Split('\n', StringSplitOptions.TrimEntries).Select(line => line.Split(" => ")).Select(parts => (parts[0], parts[1]));
}
