"""The sandbox's words: a text that says what it is and what was asked, then goes on amiably."""

import re
from random import Random

from proxy_app.providers.sandbox.reading import count_tokens

QUOTE_CHARS = 120

_REMARKS = (
    "No model read your words; this text was put together from them inside the gateway.",
    "Ask the same thing again and you get the very same answer, which is what makes it useful in tests.",
    "Everything around this text is real: the stream, the token counts, the row in the ledger.",
    "Open the dashboard while this is running and you can watch the tokens count up.",
    "Connect a provider, point the model's name at it, and the same code gets real answers.",
)
_SIGHTS = (
    "A small red bucket stands upside down near the water, holding the shape of a tower.",
    "Somebody has drawn a map in the sand with three crosses and no scale.",
    "The tide takes a corner of the wall and leaves a polished shell as payment.",
    "Two gulls argue about a sandwich that neither of them has.",
    "A child explains queues to a crab, and the crab waits its turn.",
    "The moat is finished just as the first wave comes to inspect it.",
    "A wooden spoon serves as a flagpole, and the flag is a leaf.",
    "Footprints lead out to the sandbank and, reassuringly, back again.",
    "The lighthouse counts to eight, rests, and counts to eight once more.",
    "Far out a ferry draws a white line and forgets it again.",
    "Warm stones keep the afternoon for a while after the sun has gone.",
    "A kite pulls at its string the way an idea pulls at a sentence.",
    "Under the pier the light comes in stripes and the water writes on the posts.",
    "An old man measures the castle with his walking stick and seems satisfied.",
    "The bakery van rings twice, and every conversation on the beach pauses.",
    "Rain is announced for the evening, so the builders add a roof of driftwood.",
)
_THOUGHTS = (
    "Let me see what is being asked here.",
    "The question is short enough to hold in one hand.",
    "I have no model to ask, so I will be honest about that first.",
    "A good answer names what it is, repeats the question, and then is pleasant.",
    "Is there anything to call or to look up? It does not seem so.",
    "I could say it in fewer words, but then nobody would see the stream.",
    "That settles the order; now to write it down.",
)


def quoted(text: str) -> str:
    """The prompt in one line, cut to a length that fits in a sentence."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= QUOTE_CHARS else line[: QUOTE_CHARS - 1].rstrip() + "…"


def opening(asked: str, images: int) -> str:
    what = f"you asked “{quoted(asked)}”" if asked.strip() else "you sent no words"
    if images:
        what += " and showed an image" if images == 1 else f" and showed {images} images"
    return f"Sandbox: {what}."


def answer_text(asked: str, images: int, tokens: int, random: Random) -> str:
    """About `tokens` tokens, whole sentences, in paragraphs when it is long."""
    sentences = [opening(asked, images), random.choice(_REMARKS)]
    size = sum(count_tokens(sentence) for sentence in sentences)
    sights: list[str] = []
    while size < tokens:
        if not sights:
            sights = random.sample(_SIGHTS, len(_SIGHTS))
        sentences.append(sights.pop())
        size += count_tokens(sentences[-1])
    paragraphs = [" ".join(sentences[start : start + 6]) for start in range(0, len(sentences), 6)]
    return "\n\n".join(paragraphs)


def tools_text(results: tuple[str, ...]) -> str:
    told = "; ".join(f"“{quoted(result)}”" for result in results)
    what = "The tool answered" if len(results) == 1 else f"The {len(results)} tools answered"
    return f"Sandbox: {what} {told}. With that the question is settled, as far as a sandbox can settle one."


def thoughts(random: Random) -> str:
    first, *middle = _THOUGHTS
    return " ".join([first, *random.sample(middle[:-1], 3), middle[-1]])


def pieces(text: str) -> list[str]:
    """The text cut into words with the space before them; joined they are the text again."""
    return re.findall(r"\s*\S+|\s+$", text)
