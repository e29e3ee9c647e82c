"""What to make of each built-in signal: a line of its section in the reference."""

from __future__ import annotations

from typing import Final

ADVICE: Final = {
    "error": "Open the timeline: the first red span is where it began. Users often still got an answer.",
    "slow": "Set the threshold to what your users wait for. `slow_for_route` knows what is usual.",
    "tool_error": "Agents often try again and succeed; with `tool_loop` or `apology` they rarely did.",
    "empty_output": "Also raised where texts are not recorded at all: then tell your instrumentation to.",
    "expensive": "Of the whole conversation; prices come from `[prices]`, or with the span.",
    "many_tokens": "Of the whole conversation: usually a history or a document that is sent again and again.",
    "many_tool_calls": "`tool_loop` tells of the same call; this one of very many, whatever they are.",
    "redacted": "Tells that texts are not as the user wrote them, for judges and for people.",
    "timeout": "Read from the message or type of the first error.",
    "truncated": "Raise the token limit of this call, or ask for shorter answers.",
    "content_filtered": "Compare with `refusal`: here the provider declined, not the model.",
    "slow_for_route": "Compared on a logarithmic scale with the seven days before the log's day on the same "
    "route, by median and quartiles. Nothing is raised where those have fewer than 50 logs, so nothing on a "
    "route's first day; what comes in for those days later changes nothing.",
    "expensive_for_route": "As `slow_for_route`, of costs.",
    "tool_loop": "The agent does not see, or does not understand, what the tool told it.",
    "empty_retrieval": "What follows comes from the model's memory: look for `hedges` and for wrong facts.",
    "negative_feedback": "The lowest of a log's ratings counts. Few users rate: it is no failure rate.",
    "asks_human": "Find out what they asked before: it is what the assistant can't do.",
    "repeats": "The user was not understood, or not believed.",
    "long_conversation": "Long may be good: read it beside `thanks` and `gives_up`.",
    "frustrated": "Words of anger; irony is not understood, and quotations count.",
    "corrects": "The strongest of the implicit signals where the assistant is the one who is corrected.",
    "gives_up": "Said plainly, which few do; see also `abandons`.",
    "injection": "An attempt, not a success: see `prompt_leaked`.",
    "positive_feedback": "For finding good examples.",
    "comment": "Read these first: nobody else tells you in their own words.",
    "ticket_reopened": "Send `ticket_reopened` when your help desk opens it again, even days later.",
    "escalation": "Send `escalation` when a person takes over.",
    "purchase": "Send `purchase`, with the amount as its value if you like.",
    "copied": "Send `copied` from the button.",
    "regenerated": "Send `regenerated` from the button, for the answer that was thrown away.",
    "edited": "Send `edited` from the client.",
    "returns": "Needs user ids. The first requests of both conversations are compared, as `repeats` does.",
    "abandons": "Nobody replied to the last answer, and that was a question, a refusal, or found nothing. "
    '"Is there anything else?" and its like (the list `closings`) are no questions. '
    "Send `abandoned` where your client knows better.",
    "thanks": "Not of a first request: there it is manners, or a signature. Later on, too, "
    "politeness counts: read it as the lack of trouble.",
    "refusal": "Right or wrong, that is for a metric: the signal says where to look.",
    "apology": "Usually follows something that went wrong, in the same answer or the one before.",
    "unsure": "Honest, and a list of what your documents lack.",
    "hands_over": "How often this happens is what your help desk sees.",
    "hedges": "Hedging where the facts were retrieved is a fault; elsewhere it may be right.",
    "repeats_itself": "Answers of one conversation that share most of their words.",
    "other_language": "By words and scripts; texts of a few words are of no known language. Languages "
    "that are easily taken for each other (`near:` in their files) raise nothing, and"
    " a translation that was asked for counts.",
    "empty_promise": "In an assistant that has tools: it may claim what did not happen. One without "
    "tools says the like all day: there it tells nothing.",
    "personal_data": "Addresses, phones, cards and account numbers; a contact that you publish counts too.",
    "prompt_leaked": "About seventeen words in a row of the system prompt. Where the prompt holds what"
    " users are to be told, quoting that counts as well: see whether it is "
    "instructions that got out. What was retrieved for the answer does not count.",
    "out_of_scope": "Needs `[reference]`. Words are compared, not meanings: a request in other words counts.",
    "competitor": "Empty until `[words] competitors` names them.",
    "risk": "Empty until `[words] risk` names them: lawyers, recalls, self-harm, whatever must be seen.",
    "product": "Empty until `[words] products` names them.",
}
