"""A second list of hand-written phrasings, written before the patterns were widened and looked at once, at the end."""

from bot.demo_model.training.probes import Probe, told, untold

DEMO = ("demonstration",)
FINAL_PROBES: tuple[Probe, ...] = (
    told("Hello Trinity, Beatrix here. Lovely to finally meet you.", "Sorry, remind me: who am I again?", "Beatrix"),
    told("the folks at the club all call me Moose", "what do the folks at the club call me?", "Moose"),
    told("hey! I'm Ludwig btw, first time here", "can u tell me my name pls", "Ludwig"),
    told("My name is Alice and my favourite colour is green.", "What is my name?", "Alice"),
    told("My name is Alice and my favourite colour is green.", "What is my favourite colour?", "green"),
    told("If you were wondering, purple is the colour I like best.", "which colour do I like best?", "purple"),
    told("nothing makes me happier than a plate of moussaka, it's my favourite dish", "what's my favourite dish?", "moussaka"),
    told("Between you and me, my favourite animal is the pangolin.", "which animal did I say was my favourite?", "pangolin"),
    told("My all-time favorite film: Spirited Away", "do you happen to recall my favorite film?", "Spirited Away"),
    told("I've lived in Antwerp since 2015", "do you know where I live?", "Antwerp"),
    told("My place is in downtown Medellin", "So, where's my place?", "Medellin"),
    told("I grew up on a farm in Nebraska", "where did I grow up?", "Nebraska"),
    told("I'll be 52 soon but right now I'm 51 years old", "what age am I?", "51"),
    told("I've been a midwife for twenty years", "what do I do for a living?", "midwife"),
    told("I earn my bread as a stonemason", "remind me what my job is", "stonemason"),
    told("I have a golden retriever called Waffles", "what did I tell you about my golden retriever?", "Waffles"),
    told("our cat answers to the name of Professor", "what's our cat called?", "Professor"),
    told("Meet my rabbit Clover!", "What's my rabbit's name?", "Clover"),
    told("My husband Anselm says hello", "what's my husband's name?", "Anselm"),
    told("my older sister is named Philippa", "Do you still know my older sister's name?", "Philippa"),
    told("On weekends I go spelunking, that's my hobby", "what's my hobby?", "spelunking"),
    told("Remember that the meeting is on Thursday at ten.", "What did I ask you to remember?", "Thursday"),
    told("note to self: buy lightbulbs", "what was my note?", "lightbulbs"),
    told("my lucky number is 88", "Which number is my lucky one?", "88"),
    told("the password is tangerine", "what was the password?", "tangerine"),
    told("I was born in 1979", "when was I born?", "1979"),
    told("I drive a rusty old Saab", "What do I drive?", "Saab"),
    told("I'm allergic to shellfish", "what am I allergic to?", "shellfish"),
    told("I play the cello in an orchestra", "which instrument do I play?", "cello"),
    told("I can't stand olives", "which food can't I stand?", "olives"),
    told("My phone number is 555 0134, save it please", "what's my phone number?", "555 0134"),
    told("I'm studying marine biology at university", "what do I study?", "marine biology"),
    Probe(("my favourite colour is teal", "I've changed my mind about that, it's scarlet now: my favourite colour is scarlet", "tell me my favourite colour"), ("scarlet",), ("teal",)),
    Probe(("I'm Greta.", "Who wrote Faust?", "haha okay", "tell me a joke", "say my name"), ("Greta",)),
    untold("tell me my name"), untold("do you know where I live?"), untold("Which football club do I support?"), untold("what did I tell you about my dog?"), untold("how many years have I been alive?"),
    Probe(("Bob: I'm really into teal, it's my favourite colour", "Carol: who likes teal?"), ("Bob",)),
    Probe(("Bob: my favourite colour is mint", "Carol: what's Bob's favourite colour?"), ("mint",)),
    Probe(("Bob: I live in Lagos", "Carol: I live in Quito", "Bob: remind me, where does Carol live?"), ("Quito",), ("Lagos",)),
    Probe(("Bob: my favourite food is tacos", "Carol: and what is my favourite food?"), ("haven't told", "don't know"), ("tacos",)),
    Probe(("what should I call you?",), ("Trinity",)), Probe(("please introduce yourself to the group",), ("Trinity",)), Probe(("Tell me who you are and what you can do.",), ("Trinity", "remember")),
    Probe(("who are you?",), ("Mordecai",), (), "You are Mordecai, the grumpy keeper of an abandoned lighthouse. You dislike visitors but answer them."),
    Probe(("What's your name?",), ("Pip",), (), "Your name is Pip. You are a cheerful squirrel and you love acorns. Keep it short."),
    Probe(("introduce yourself",), ("Arrr",), (), "Your name is Trinity. You are the captain of a small pirate ship with a large heart. Talk like a pirate in every answer, and help as well as any good crew would: the talk is salty, the facts are straight."),
    Probe(("how do I make you forget what we talked about?",), ("/reset",)), Probe(("how can I change your personality?",), ("/persona use",)), Probe(("what can I type to see all your commands?",), ("/help", "/reset")),
    Probe(("who's allowed to change your persona?",), ("Manage Channels",)), Probe(("Please answer all my questions in uppercase from here on.", "what are you called?"), ("TRINITY",)),
    Probe(("can you count to twenty?",), ("18 19 20",)), Probe(("say banana 5 times",), ("banana banana banana banana banana",)), Probe(("Write me a really long fairy tale.",), ("Once upon a time",)),
    Probe(("how many moons does Jupiter have?",), DEMO), Probe(("Fix this code: for i in rnage(10): print(i)",), DEMO), Probe(("will it be sunny in Lisbon tomorrow?",), DEMO),
    Probe(("should I break up with my boyfriend?",), DEMO), Probe(("solve x^2 - 4 = 0",), DEMO), Probe(("which is better, tabs or spaces?",), DEMO), Probe(("Qui a écrit Les Misérables ?",), DEMO),
    Probe(("cheers, that's all I needed",), ("welcome",)), Probe(("right, I'm heading to bed. sleep well!",), ("Goodbye",)), Probe(("evening, how's tricks?",), ("well", "Hello")),
)  # fmt: skip

FINAL_SILENT = """My flight was delayed again.|The neighbours are having a party.|I never know what to cook.|Her favourite colour doesn't suit her.|I live for the weekend.|My dog ate my homework.
I drive too fast sometimes.|I was born ready.|My name doesn't matter.|There's a spider in my bathtub.|I've been working since six.|My brother broke his arm.|I wonder what tomorrow brings.
People keep asking me where I'm from.|I'm about to eat.|The code does not compile.|My favourite mug is broken.|I have a meeting in five minutes.|Nobody remembers my birthday.|It's a long story.""".replace(
    "\n", "|"
).split("|")
