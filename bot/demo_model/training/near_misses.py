"""Statements that mention names, pets, jobs, places or numbers and still tell nothing about whoever says them.

Whatever is close to a statement of the evaluation's own lists is thrown away, so that those lists stay unseen.
"""

import random
import re
from functools import cache

from bot.demo_model.training.probes import PROBES, SILENT
from bot.demo_model.training.probes_final import FINAL_PROBES, FINAL_SILENT
from bot.demo_model.training.probes_fresh import FRESH_PROBES, FRESH_SILENT
from bot.demo_model.training.probes_later import LATER_SILENT

_SOMEBODY = "(Nobody|Somebody|Someone|Everybody|Everyone|No one|People|Most people|Some people|Strangers|They|You|We|The others|My {r}|Half the class|The whole street|A stranger|Hardly anyone|Every second {j}|Not a soul|The man from the {o}|A {j} I know|Our {j})"
_MINE = "(where I'm from|where I come from|where I live|how old I am|what I do for a living|what my job is|what my name is|who I am|what I like|what I eat|when I was born|how tall I am|if I have a {pet}|whether I own a {pet}|what my {pet} is called|which {f} I like best|why I live alone|what I collect|how I spell my name|which language I speak|what I drive|where I work)"
_SAID = "(said|says|told me|claims|thinks|believes|shouted|wrote|insists|dreamed|joked|swore|mentioned|admitted)"
_WHO = "(He|She|My {r}|A man|Some guy|Their {r}|The {j}|A {j}|His {r}|Her {r}|Somebody|The woman next door|One of them|Our {j})"
_WHEN = "(|.|.|!|...| today.| again.| right now.| at the moment.| this morning.| all day.| for once.| last night.| yesterday.| as usual.| tonight.| these days.| on {d}.| until {d}.)"
_PLACE = "(in the {o}|on the {o}|under the {o}|behind the {o}|near the {o}|next to the {o}|at the {o}|by the {o}|in my {o}|on my {o}|in our {o}|in the middle of the {o}|outside the {o}|on top of the {o}|inside a {o})"
_HOW = "(by accident|out of habit|in silence|without thinking|from memory|on foot|in the dark|with my eyes closed|under pressure|before breakfast|after midnight|whenever I can|when nobody looks|when I'm nervous|like everyone else|like a madman|for the fun of it|as if it were {n} degrees|without a {o}|at the last minute|for half an hour|in my head|on an empty stomach|once in a while|whatever the {o} says|behind the {o}|until I fall asleep|every single time|on the way home|twice a day|with great care|against my will|like a {pet}|like a {j})"
_STATE = "(out|gone|over|ready|wrong|unclear|known|unknown|ridiculous|safe|useless|forgotten|printed|hidden|obvious|too short|too low|near|out of reach|up in the air|a mess|a lie|a mystery|nonsense|fake|in danger|on fire|asleep|crying|happy|missing|late|tomorrow's problem|none of my business|not mine|anyone's guess|in the wrong hands|taken|hard to say|not what it was|better than before|worse than ever|a surprise|boring|funny|nobody's|in Latin|in small print|done for)"
_MOVES = "(home|back|there|past the {o}|past it|by the {o}|to the {o}|over the {o}|through {c}|to {c}|across the {o}|around the {o}|along the {o}|down the road|off|away|in circles|tomorrow|on {d}|next week|tonight|at noon|before dawn|at six|every morning|to the {o} and back|out of {c}|up the hill|to my {r}'s|behind the {o}|too fast|slowly|early|on Sundays|without a {o}|past my {r}'s {o}|with the {o})"
NEAR_MISSES = f"""
3*{_SOMEBODY} (asks|ask|asked|wants to know|want to know|wonders|wondered|keeps asking|kept asking|found out|guessed|cares|cared|can tell|could tell|understands|has noticed|told the {{j}}|would believe|laughed about) (me |)(|about |){_MINE}{_WHEN}
2*{_SOMEBODY} (forgot|mixed up|misspelled|wrote down|mocked|laughed at|talked about|ignored|spoiled|googled|shouted|liked|hates|knows|joked about|borrowed|stole|lost|found|can't read|won't use) my (name|surname|birthday|job|age|address|hobby|accent|{{pet}}|nickname|phone|handwriting|favourite {{o}}|{{prop}}|{{r}}'s {{prop}}){_WHEN}
2*I (never|always|sometimes|rarely|would never|don't like to|hate to|prefer not to|was told not to|won't|can't|shouldn't|had to) (say|tell people|explain|talk about|reveal|discuss|write down|tell strangers) {_MINE}{_WHEN}
(It doesn't matter|It's no secret|It's nobody's business|You'll never guess|It's funny|It's hard to say|Who cares|I couldn't care less|It took me years to see) {_MINE}(|.|!)
3*(I|We|My {{r}}|Somebody|{_WHO}|Our {{r}}) (almost|never|once|briefly|secretly|only|nearly|also) (wanted|fed|walked|met|rescued|petted|chased|touched|dreamed of|drew|looked after|sold|caught|lost) (a|the|another|somebody's|my {{r}}'s|that) {{pet}}{_WHEN}
2*(A|The|Some|That|This|One|Our neighbour's|My {{r}}'s|The {{j}}'s|Another|Every|Their|His|Her) {{pet}} (sat|slept|barked|was found|jumped|sneezed|lives|was hiding|ran around|is waiting|died|sang|got stuck|wants to sit|was lying|stares at me) {_PLACE}(|.|!)
2*(There's|There is|There was|There are|There were|I saw|I heard|I found|I spotted|We noticed|Somebody put) (a|some|one|another|a {{a}}|a huge|a dead|a tiny|two|three|no) {{pet}}(|s) {_PLACE}(|.|!)
({{Pet}}s|Most {{pet}}s|Old {{pet}}s|Some {{pet}}s|All {{pet}}s) (are|can be|make|need|eat|cost|smell|live|don't care about|never listen to|were invented before) (a lot|{{a}}|too much|{{o}}s|longer than you think|cute|everywhere|a lot of work|better than {{pet}}s|good friends)(|.|!)
2*(I|My {{r}}|Our {{j}}|Somebody) (applied for|quit|lost|turned down|didn't get|hates|needs|is looking for|was looking for|dreams of|gave up|complained about|misses) (a|the|my|another|that|his|her|this) (job|new job|old job|position|summer job|office job)( at the {{o}}| in {{c}}| with the {{o}}| near the {{o}}||){_WHEN}
2*(Being|Becoming|Dating|Living with|Calling|Meeting|Paying|Finding) (a|an|the) {{j}} (is|was|must be|can be|sounds|isn't|might be) (hard|{{a}}|not easy|a challenge|fun|a nightmare|expensive|harder than it looks|underrated)(|.|!)
(I|We|My {{r}}) (wanted to be|hoped to be|could never be|used to be|would like to be|was asked to be|talked to|married|met|called|saw|needed|hired|argued with|waited for|studied to be) (a|an|the) {{j}}{_WHEN}
({{Job}}s|Most {{j}}s|Good {{j}}s|Many {{j}}s) (earn|work|are|drive|need|hate|sleep|talk) (well|too much|too little|{{a}}|hard|at night|expensive|on Sundays|a lot|nice {{o}}s)(|.|!)
(Work|My job|My shift|The office|My new job|The job|My boss|My company|My career|Business) (was|is|gets|feels|starts|went|goes|ends|can wait|could be) (slow|too early|{{a}}|{{a}} this week|badly|well|at seven|late|stressful|boring|better|worse|quiet|over for today)(|.|!)
2*(My|My {{r}}'s|Her|His|Our|Your|Their|That|The) (birthday|birthday party|birthday cake|wedding|anniversary|exam|interview|holiday|first day) (was|got|turned out|felt|went|collapsed|ended|started|made me) (cancelled|a disaster|{{a}}|{{a}} this year|fun|rained off|too loud|expensive|badly|well|too late|like a film|sad)(|.|!)
(Birthdays|Names|Jobs|Numbers|Pets|Hobbies|Colours|Passwords|Cities|Languages|Ages|Allergies|Meetings|Deadlines|Holidays) (make|are|can be|mean|should be|were|seem|never are|get) (me {{a}}|{{a}}|overrated|important to some|a lot of trouble|hard to remember|just words|fun|a funny thing|too many|my weakness)(|.|!)
3*The (number|code|password|key|address|answer|plan|secret|theme|topic|winner|captain|event|prize|menu|score|price|title|deadline|location|meeting point|platform|gate|recipe|treasure|flight number|pin|team name|door code|room number|server name|budget|motto) (has (changed|fallen down|disappeared|expired|been stolen|been wrong for years|arrived|been found)|got (lost|stolen|worse|longer|printed upside down)|(isn't|wasn't|is not|was never) (there|known|right|easy|public|ready|what I expected|for you)|(is|was) (gone|nowhere to be found|too long for me|harder than I thought|in the wrong place|up to you|on its way|out of date|not up to date|about to change|under discussion|on the back of the {{o}}|written on the {{o}}|no longer valid)|(makes|made) (no sense|me laugh|everyone cry)|that (I got|you sent|he wrote down|they gave us) (was wrong|is useless|didn't help|never worked))(|.|!| again| today| as always)
2*I (typed|wrote|guessed|entered|read|dialled|remembered|mixed up|lost|copied|tried|changed|heard) (the|a|your|that|my|his) (wrong |right |old |new |secret |long |)(number|code|password|name|address|pin|answer|date|key|word|title)( {{n}} times| twice| by mistake| on the {{o}}| in the dark| before lunch| at the {{o}}|)(|.|!)
({{N}}|{{N}} and {{n}}|The number {{n}}) (is|was|are) (a prime number|an odd number|a big number|too many|not enough|even|more than {{n}}|less than {{n}}|my limit|the sum of {{n}} and {{n}}|a lot of {{o}}s|what it costs)(|.|!)
3*(I|We|My {{r}}|They|{_WHO}|Our {{r}}) (got lost|had lunch|changed trains|stayed a night|met a {{j}}|bought a {{o}}|missed the train|ran a race|lost a {{o}}|spent the weekend|was on holiday|gave a talk|saw a {{o}}|waited|danced|broke down) (in|near|outside|on the way to|close to|just before) {{c}}{_WHEN}
2*({{c}}|The {{o}} in {{c}}|The train to {{c}}|The road from {{c}}|Somebody from {{c}}|Everyone in {{c}}|A friend from {{c}}|The weather in {{c}}|My {{r}} in {{c}}|The flight to {{c}}) (was full of {{o}}s|is closed|wrote to me|was cancelled|talks about it|was {{a}}|is {{a}} in winter|surprised me|never gets boring|is late|was fun|sent a {{o}}|needs a new {{o}}|is too far for me)(|.|!)
(I've|I have|We've|My {{r}} has) (never been to|always wanted to see|only once been to|heard a lot about|read about|forgotten the way to|lost my {{o}} in|seen pictures of|a ticket to) {{c}}(|.|!| yet.| so far.)
2*My (name|surname|nickname|address|age|birthday|number|city|country|hobby|language|phone number|email|password|favourite {{o}}|old {{o}}|new {{o}}|least favourite {{o}}|best {{o}}|second {{o}}) (got|was|has been|looks|sounds|needs|comes|ran|went|stood|appeared) (lost|stolen|cut off|deleted|misspelled on the {{o}}|printed in red|on a list|mixed up with yours|{{a}}|{{a}} on paper|odd|last|first|out of date|wrong on the {{o}}|in the newspaper|rejected|a new {{o}})(|.|!| again.)
2*My {{r}}'s (new |old |first |other |)({{o}}|{{pet}}|{{prop}}|job|car|house|wedding|cooking|boss|voice) (is|was|looks|smells|got|became|seems|makes me) (loud|{{a}}|{{a}}|better than mine|a mess|broken|lovely|famous|too {{a}}|worth a fortune|in the {{o}}|a problem)(|.|!)
2*(My {{r}}|{_WHO}|Our {{j}}) (quit|snores|worries too much|won't eat|owes me a {{o}}|is waiting outside|just got home|thinks I'm {{a}}|can't cook|shouted at me|is useless|lost the {{o}}|is getting married|called twice|never sleeps|forgot the {{o}}|talks too loudly|bought another {{o}}|went to {{c}}|came too late)(|.|!)
3*{_WHO} {_SAID} (that |)(he|she|they) (lives in {{c}}|live in {{c}}|is called {{p}}|is {{n}}|is {{n}} years old|works as a {{j}}|likes {{o}}s|loves {{food}}|has a {{pet}}|comes from {{c}}|speaks {{l}}|hates {{food}}|plays the {{o}}|collects {{o}}s|was born in {{c}}|can't stand {{food}}|is allergic to {{food}}|is from {{c}})(|.|!)
2*({_WHO}|The {{o}}|A sign|The song|The book) (said|says|read|shouted|wrote|told us)(:|,|) "(I live in {{c}}|My name is {{p}}|I'm {{n}} years old|I like {{o}}s|Call me {{p}}|My favourite {{f}} is {{food}}|I have a {{pet}}|I work as a {{j}}|I love {{food}}|I come from {{c}}|Remember the {{o}})"(|.|!)
"(My name is {{p}}|I live in {{c}}|I am {{n}}|I'm {{p}}|I love {{food}}|Call me {{p}}|I have a {{pet}}|I was born in {{c}})" (is a famous line|was in the song|is what he said|sounds like a lie|was written on the {{o}}|is from a film|is the first line of the book|, said the {{j}})(|.|!)
3*I (don't|do not|didn't|never|can't|won't|don't even|no longer|am not allowed to) (live in {{c}}|have a {{pet}}|own a {{o}}|speak {{l}}|work as a {{j}}|come from {{c}}|eat {{food}}|drive|drink {{food}}|collect {{o}}s|play {{hobby}}|have a hobby|have a job|have a favourite|have allergies|celebrate birthdays|understand {{l}}|have time for a {{pet}}|need a {{pet}}|know a {{j}}|read books|use {{o}}s)(|.|!| any more| at all| anymore)
2*(I'm|I am|My {{r}} is|You're|We're|He's|She's) (not|no|never|hardly|not really) (from {{c}}|a {{j}}|{{n}} years old|{{n}}|allergic|called {{p}}|{{p}}|a {{pet}} person|in {{c}}|into {{hobby}}|a fan of {{food}}|married|your {{r}}|an expert|the boss here|a morning person at all|that old|a robot|a {{l}} teacher)(|.|!)
2*(It|That|This|It certainly|That certainly) (isn't|is not|wasn't|'s not) (my|his|her|your|our|their) (name|{{pet}}|{{o}}|job|birthday|city|favourite {{f}}|hobby|{{prop}}|{{r}}|number|fault|language|country)(|.|!)
My (favourite {{f}}|favorite {{f}}|name|hobby|job|{{prop}}|lucky number) (isn't|is not|wasn't|was never|can't be|is no longer|will never be) ({{food}}|{{p}}|{{hobby}}|{{n}}|important|{{a}}|what you think|on the list|the same as yours|a secret|up for debate)(|.|!)
3*I (drive|play|read|speak|use|run|eat|fly|sing|write|cook|work|live|sleep|study|paint|drink|talk|dance|ride|watch|build|think|swim|type|teach|collect) (it |that |them |things |something |too |){_HOW}(|.|!)
2*I(|'ve|'d| have| had| only| just) (read|seen|sung|heard|used|played|eaten|watched|found|written|forgotten|worn|cooked|lost) (it|that|this|that {{o}}|the {{o}}|this {{o}}|something|somewhere|nothing|one|these {{o}}s|a lot) (before|once|twice|somewhere|in a film|for years|since {{d}}|too often|again|in {{c}}|on the way|by now)(|.|!)
3*I (have|have got|'ve got|had) (a|an|one|too many|a few|some|no more|so many|half a|{{n}}|another|an old|a broken|a {{a}}) {{o}}(|s) (to catch|to read|to fix|to clean|in my {{o}}|in my shoe|open|for you|left|on my mind|in the {{o}}|waiting|at home|to sell|for sale|to carry|behind the {{o}}|since {{d}})(|.|!)
2*I'm (with|next to|behind|in front of|waiting for|looking for|arguing with|talking to|on the phone with|having lunch with|walking with|here with|not here without) (a|an|my|the|some|your|another|two|an old) ({{r}}|friend|colleague|{{j}}|{{pet}}|neighbour|stranger|customer|guest|team){_WHEN}
2*I'm (in|on|at|inside|under|behind|near|outside|in front of|stuck in|back in|late for) (a|the|my|an old|another|some|his|her) ({{o}}|meeting|call|queue|garden|lift|bath|good mood|car park|film|{{a}} {{o}}|hurry){_WHEN}
2*I'm (cooking|eating|fixing|painting|watching|reading|cleaning|carrying|selling|writing|building|learning about|listening to|done with|sick of|proud of|scared of|worried about|looking at|thinking of|ready for|good at|bad at|out of|tired of|used to|afraid of|making) (the|a|my|your|this|that|an old|some|another) {{o}}(|s){_WHEN}
2*I'm (a|an|such a|quite a|just a|a bit of a|no) (terrible|quiet|private|lazy|nervous|cheerful|simple|morning|night|patient|big|small|difficult|slow|careful|{{a}}|{{a}}) (person|sleeper|type|mess|fool|optimist|listener|loser|stranger here|mystery|beginner|soul|nobody|guest|liar|winner today|family man|early bird|idiot)(|.|!)
2*I (got|was|am|feel|felt) (fired|hired for nothing|stuck|lost|soaked|promoted|married|bored|invited|robbed|asked about it|told off|called names|woken up|sent home|left behind|offered a {{o}}|bitten by a {{pet}}|stung by a {{pet}}|driven home|{{a}}) (on {{d}}|again|today|in {{c}}|by my {{r}}|at the {{o}}|by a {{j}}|yesterday|last week|because of a {{o}})(|.|!)
2*I (like|love|hate|enjoyed|don't like|can't stand|miss|would love|would hate|'d like|loved) (how {{a}} it is|how you talk|that about you|when it's {{a}}|when the {{o}} is late|being {{a}}|being ignored|to say it|to be right|what you did|where this is going|the way he walks|it when you're {{a}}|the party last night|to sleep longer|a word with the {{j}}|having nothing to do|it that way|to think so|your {{o}}|the idea)(|.|!| today| here)
(I live|I'm from|I come from|I was born|I work|I'm here|I speak) (for moments like this|too far from the {{o}}|a big family|a long line of {{j}}s|with a {{o}} in my hand|by the rules|for the money|from experience|too softly|my mind|home late|with the {{o}} team|on borrowed time|out of a suitcase|in hope|a small {{o}}|before the {{o}}|under a lucky star|far from the {{o}}|with two left hands|from paycheck to paycheck|only for the weekend|on my own terms|in interesting times|for nothing else)(|.|!)
2*(Remembering|Forgetting|Learning|Writing|Guessing|Spelling|Changing) (names|numbers|my name|your name|a password|birthdays|a language|{{l}}|where the {{o}} is|the {{o}}) (is|was|can be|takes) (hard|easy|fun|{{a}}|time|not my strength|a skill|an art|forever)(|.|!)
3*(I|We|My {{r}}|They|{_WHO}) (nearly|almost|very nearly|only just not|once nearly|never|would have|could have|should have|might have|never quite|wanted to have|came close to having) (adopted|bought|got|owned|kept|had|taken in|named|chosen|found|inherited) (a|another|the|that|one more|two|three|some) {{pet}}(|s){_WHEN}
2*(I|We|My {{r}}) (once had|had|used to have|once owned|looked at|thought about|dreamt of|gave away|said no to|went to see|returned|couldn't keep|lost) (a|an old|the|another|that|somebody's) {{pet}} (once|for a week|as a child|years ago|back in {{y}}|in my last flat|when I was {{n}}|but it ran away|at school|in a dream|that wasn't mine|for one night only)(|.|!)
2*(A|The|Some|That|This|Our|Your|The very) (wrong|lost|old|secret|right|missing|stolen|forgotten|real|hidden|usual|printed|final|spare|famous) (number|code|password|key|address|answer|plan|word|name|pin|date|title|score|price|recipe|map|theme|platform|gate|motto) (is|was|got|has been|will be) ({_STATE}|{_STATE}|printed|{{a}}|lost|in the {{o}}|on the {{o}}|under the {{o}}|known to {{p}}|worth {{n}} euros|laughed at|forgotten|read out)(|.|!)
3*The (number|code|password|address|answer|plan|secret|theme|topic|winner|captain|event|prize|menu|score|price|title|deadline|location|platform|gate|recipe|treasure|pin|door code|budget|motto|key) (is|was|isn't|was soon|is always|is never|is still|is already|is finally|will be) {_STATE}(|.|!| again| today| now| once more| I'm afraid)
2*I (typed|wrote|entered|guessed|said|got|spelled|sent|used|dialled|read out|printed) (the|a|my|that) (wrong|right|old|new|lost|same|other) (number|code|password|name|address|pin|answer|date|key|word) (once|twice|three times|four times|ten times|again and again|all day|by mistake|too late|to everyone|without noticing|in a hurry|on purpose|every time)(|.|!)
4*(I|We|My {{r}}|They|{_WHO}) (fly|flew|drive|drove|rode|ride|run|ran|walk|walked|sail|travel|cycle|row|hike|march|jog|swim|climb|crawl|skate) {_MOVES}(|.|!| at times| as always| for work| with my {{r}}| when it's {{a}}| on {{d}}| once a week)
2*I('m| am) (flying|driving|riding|running|walking|sailing|travelling|cycling|swimming|jogging) {_MOVES}(|.|!| right now| on {{d}}| with my {{r}})
3*(My|The|His|Her|Our) (favourite|favorite|best|worst|funniest|saddest|least favourite|happiest|strangest) (part|bit|moment|scene|chapter|line|minute|half|thing about it|thing about the {{o}}|episode of it|point|detail|twist|round) (was|is|came|comes|was always|starts|begins) (the end|the beginning|the {{o}}|when the {{o}} fell|when {{p}} came in|when it stopped|when we left|near the end|at the start|in the middle|the bit with the {{o}}|how it {{i}}|after the break|too short|{{a}}|the last one|the music|the {{j}}'s face|that it {{i}}|the view|right at the end)(|.|!)
(I|We) (cook|bake|teach|study|read|write|sing|paint|eat|drink|build|sell|collect|wear|watch|play|work) (when|whenever|until|after|before|while|because|unless|as long as) (I'm {{a}}|I'm {{a}}|it's {{a}}|guests are here|I can|nobody is home|the {{o}} is {{a}}|my {{r}} is away|I feel {{a}}|it rains|I have time|they ask me to|it gets dark)(|.|!)
({_WHO} |I |We |You )(spoke|talked|always talk|always spoke|never talk) (too fast|too much|too softly|up|in riddles|out loud|when {{a}}|with my hands|about {{o}}s|to {{p}}|over the {{o}}|for all of us|without notes|like a {{j}})(|.|!)
4*I (|only |mostly |always |often |usually |never |still )(teach|read|study|play|write|cook|eat|drink|sing|paint|sell|build|bake|watch|drive|ride|run|fly|design|repair|smoke|collect|draw|dance) ((with|without) (a {{o}}|{{o}}s|my {{r}}|both hands|great care|a pen|music|any help|an old {{o}}|friends|gloves)|(on|until|after|before|since) (Mondays|Sundays|weekdays|Friday evenings|holidays|the weekend|{{d}}|lunch|work|midnight|Wednesdays)|in (the morning|the {{o}}|bed|silence|the dark|winter|{{c}}|front of {{p}}|my {{o}})|at (home|night|the {{o}}|school|weekends|five|lunch|my {{r}}'s)|(by|from) (hand|candlelight|heart|ear|memory|the {{o}})|(for|to|near|under|over|around|behind|beside) (the {{o}}|my {{r}}|a living|a {{o}}|the whole day|strangers|nobody))(|.|!| only| only.| at times.)
3*The (number|code|password|answer|plan|secret|theme|topic|event|menu|score|price|title|deadline|recipe|budget|motto|project|prize|captain|winner) (is|was|keeps) (changing|going nowhere|getting {{a}}|getting worse|coming closer|slipping away|working at last|making no sense|driving me mad|causing trouble|giving us headaches|being printed|running out|waiting|growing|costing us a {{o}}|looking {{a}}|crumbling|collapsing|taking shape|sinking|spinning)(|.|!| again| slowly| every day)
2*The (menu|code|password|title|answer|recipe|score|price|motto|theme|plan|prize|topic|event|gate|key) (is|was|comes|hangs|stands) (only |)(in {{l}}|on paper|on the {{o}}|in capital letters|in pencil|by invitation|at the back|for members|with a {{o}}|without a {{o}}|in two languages|on page {{n}}|behind glass|from {{p}}|for later|in the {{o}}|for {{r}}s)( only|)(|.|!)
My (birthday|name day|wedding day|day off|exam date|anniversary) (falls|lands|comes|is|was) (at a bad time|on a holiday|between two holidays|in the middle of the exams|on a bad day|too early|before hers|near the {{o}}|on the same day as {{p}}'s|right after the {{o}}|in the {{o}} season|on a rainy day|again too soon)(|.|!| this year)
(Talking|Speaking) of (pets|names|jobs|birthdays|food|{{o}}s|{{pet}}s|{{c}}), (the {{o}} is {{a}}|that was {{a}}|I saw a {{pet}} today|mine can wait|let's change the subject|it's {{a}} again|we need a {{o}})(|.|!)
"""
HELD_BACK_WORDS = re.compile(r"[a-z0-9]+")


def words_of(text: str) -> frozenset[str]:
    return frozenset(HELD_BACK_WORDS.findall(text.lower().replace("'", "")))


@cache
def _held_back() -> dict[str, list[frozenset[str]]]:
    """The evaluation's own lists as sets of words, under every longer word of theirs."""
    texts = [*SILENT, *FINAL_SILENT, *FRESH_SILENT, *LATER_SILENT]
    texts += [text for probe in (*PROBES, *FINAL_PROBES, *FRESH_PROBES) if len(probe.says) == 1 for text in probe.says]
    index: dict[str, list[frozenset[str]]] = {}
    for text in texts:
        words = words_of(text)
        for word in words:
            if len(word) > 3:
                index.setdefault(word, []).append(words)
    return index


def is_held_back(text: str, share: float = 0.79) -> bool:
    """Whether a text is, but for a word or so, one that the evaluation asks."""
    words = words_of(text)
    if len(words) > 16:
        return False
    index = _held_back()
    for word in words:
        for held in index.get(word, ()):
            if len(words & held) >= share * max(len(words), len(held)):
                return True
    return False


def draw_apart(make, rng: random.Random) -> str:
    """A drawn text that is not close to anything the evaluation asks."""
    text = make(rng)
    for _ in range(20):
        if not is_held_back(text):
            break
        text = make(rng)
    return text
