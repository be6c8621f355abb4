//! Every input there is, with small counts of bytes.

use hangup::{Answer, Blame, Command, Deadline, Fault, Hint, Input, More, Operation, Outcome, Owed, Plan};

/// All inputs, in a fixed order.
pub(crate) fn all() -> Vec<Input> {
    let mut inputs = Vec::new();
    inputs.extend(Hint::NAMES.map(|(hint, _)| Input::Hint(hint)));
    inputs.push(Input::Hint(Hint::NONE));
    inputs.push(Input::Hint(Hint::HANG_UP.with(Hint::ERROR)));
    for operation in Operation::ALL {
        for owed in Owed::ALL {
            inputs.push(Input::Outcome(Outcome::Submitting(operation, owed)));
        }
        for outcome in
            [Outcome::Pending(operation), Outcome::Cancelling(operation), Outcome::CancelAnswered(operation)]
        {
            inputs.push(Input::Outcome(outcome));
        }
    }
    for answer in answers() {
        inputs.push(Input::Outcome(Outcome::Immediate(answer)));
        for more in [More::Last, More::Follows] {
            inputs.push(Input::Outcome(Outcome::Completed(answer, more)));
        }
    }
    let commands = [Command::Output(0), Command::Output(1), Command::Pause, Command::Resume];
    inputs.extend(commands.map(Input::Command));
    inputs.extend(Plan::ALL.iter().map(|&plan| Input::Command(Command::Close(plan))));
    inputs.extend(Blame::ALL.map(|blame| Input::Command(Command::Blame(blame))));
    inputs.extend(Deadline::ALL.map(Input::Expired));
    inputs
}

fn answers() -> Vec<Answer> {
    let mut answers = vec![
        Answer::Registered,
        Answer::Connected,
        Answer::ConnectBlocked,
        Answer::Received(0),
        Answer::Received(1),
        Answer::EndOfStream,
        Answer::ReceiveBlocked,
        Answer::Sent(0),
        Answer::Sent(1),
        Answer::SendBlocked,
        Answer::Notified,
        Answer::Watched(Hint::HANG_UP),
        Answer::NoError,
        Answer::ShutDown,
        Answer::Acknowledged,
        Answer::Severed,
        Answer::Deregistered,
        Answer::Released,
    ];
    for &fault in Fault::ALL {
        answers.extend([
            Answer::RegisterFailed(fault),
            Answer::ConnectFailed(fault),
            Answer::ReceiveFailed(fault),
            Answer::SendFailed(fault),
            Answer::WatchFailed(fault),
            Answer::PendingError(fault),
            Answer::ShutdownFailed(fault),
        ]);
    }
    answers
}
