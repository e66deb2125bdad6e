"""More ways to tell and to ask facts: indirect ones, sentences with more around the fact. Joined to the first lists.

{y} is a year, {n} a number, {r} a relative, {adj} an adjective; they stand around a fact and are no part of it.
"""

SAY = {
    "name": """
(Hey|Hi|Hello|Good morning|Hi there|Good evening)(,|!| Trinity,| Trinity!| all,|) {v} (here|speaking|at the keyboard|is back|from accounting|reporting for duty|just joined)(|.|!)( How are you?| Nice to meet you.| Lovely to meet you.||)
(My|my) (mates|buddies|pals|friends|family|kids|students|teammates|fans|neighbours|coworkers|roommates|grandparents|people) (all |always |usually |sometimes |just |)(call me|know me as|refer to me as|shout) {v}(|.|!)
(The (guys|girls|boys|gang|team|lads|others|people) (at|from|in) (work|school|the pub|the office|the gym|my class|the choir|the lab|here)|Everyone (at home|at school|in town|online|I know)|All my friends) (all |)(call|know) me( as|) {v}(|.|!)
(On my passport it says|My birth certificate says|My badge says|My parents settled on|My mother picked|My nametag reads|At birth I was given the name|I ended up with the name|Legally I am|Officially I'm|On paper I'm) {v}(|.)
(First name|Given name|Nickname|Name|Real name|Handle|Alias)(:| is| -) {v}(|.)
(Just|Please|You may|Feel free to|Everyone may|Better|It's easiest if you|I like it when people|I'd love it if you would|I prefer it when people) (call|calls|call) me {v}(|.|!)
(Not|My name isn't) {w}(,|;|:| but) (it's|I'm|my name is|it is) {v}(|.|!)
(I'm|I am) {v} (and|, and|; ) (I'm {n} years old|I have a question|I love this server|I'm looking for help|I'd like to talk|I'm {adj} today|I hope you're well|I need a hand)(|.|!)
(I go by|I'm going by|I went by|I answer to|I respond to|I react to|I listen to) (the name |the nickname |)(of |){v}( these days| online| here| around here| at work|)(|.|!)
(Signed|Yours|Cheers|Regards|Best|Greetings from|With love|Kind regards|xoxo)(,|) {v}
""",
    "favourite": """
2*(favourite|favorite|fav|fave|Favourite|Favorite|all-time favourite|current favourite) {t}(:| is| -|, that's|? It's|? Easy,) {v}(|.|!| for sure| of course| lol| tbh| btw)
(mine is|mine's|Mine is|Mine:) {v}(,|;|.) (that's|it's|I mean) my {k}(|.)
({v} (is|remains|stays|will be|counts as)|For me it's {v}, that is|I'd call {v}|Without question {v} is) my {k}(|.|!| since {y}| and nothing else| for {n} years now)
(When I was a child it was something else, but now|Ever since {y},|These days|At the moment|For years|As a kid|All my life|To this day|Right now|In general|Deep down|Secretly|Honestly) my {k} (is|has been|was|remains|is still) {v}(|.|!)
(You should know|You may want to know|It's no secret|I keep telling people|I told my {r}|My {r} knows|People know|I can tell you|I must confess|Fun fact:|I'm sure|I'm certain|I feel) (that |)my {k} is {v}(|.|!)
My {r} (hates|likes|doesn't like|prefers something else to|never understood|bought me|gave me|shares) {v}, (but it's|which is|and it's|yet it's) my {k}(|.|!)
(Of all {t}s|Among all {t}s|Out of all the {t}s( in the world|)|From all {t}s|As far as {t}s go|In terms of {t}s|If we talk about {t}s)(,|) (I like|I love|I prefer|I choose|I pick|I would choose|I enjoy) {v} (best|the most|most|above all|)(|.|!)
(I like|I love|I prefer|I enjoy|I choose) {v} (best|the most|most) (of|among|out of) all (the |){t}s(|.|!)
(My|The) (absolute|personal|undisputed|eternal|true|one and only|current) (favourite|favorite) {t} (is|of mine is|has to be|must be) {v}(|.|!)
(Guess|Can you guess|Do you know|Want to know|Would you like to know) (my {k}|what my {k} is)\\? (It's|It is|That's|I'll tell you:|The answer is|) {v}(|.|!)
({v}|It's {v}|{v}, I think|{v} of course|{v} by far|{v} all the way)(,|.|!) (That's|It's|That is|It is|is) my {k}(|.|!)
(I have|I've got) (a thing|a weakness|a passion|a soft spot|so much love) for {v}(,|:|;|.) (it's|it is|that's) my {k}(|.|!)
My {t} of choice is {v}(|.|!)
The {t} I'd (take to a desert island|always choose|pick every time|never give up|die for|recommend to everyone) is {v}(|.)
(There is|There's) no {t} I (like|love) (more|better) than {v}(|.|!)
(I'd|I would) (always |any day |rather |)(go for|choose|take|pick) {v} (over|before) any other {t}(|.)
My {k} (used to be {w}|was {w}|isn't {w})(,| but|;) (but |)(now |)it's {v}(| now)(|.|!)
(Put|Write|Note|Jot) down(:| that|) my {k} (is|=) {v}(|.)
""".replace("\\\\?", "?").replace("\\?", "?"),
    "property": """
(You should know|You may want to know|I can tell you|I must confess|My {r} knows|Since {y}|At the moment|These days|For the moment|Right now)(,|) (that |)my {k} is {v}(|.|!)
(In case you need it|In case anyone asks|If anyone asks|If you need it|Should you need it|For your records|For the record|For the form)(,|:) my {k} is {v}(|.)
My {k} (used to be {w}|was {w}|isn't {w})(,| but|;) (but |)(now |)it's {v}(| now)(|.|!)
(They|The school|My boss|The company|My {r}) (gave me|assigned me|told me) (a |)(new |){k}(:|,) {v}(|.)
(My|The) {k}\\? (It's|It is|That's|) {v}(|.|!)
""".replace("\\?", "?"),
    "city": """
(Living|Based|Residing|Settled|Currently|Now living|Currently living|Stuck living|Happily living|Still living) in {v}(|.|!| since {y}| for {n} years now| with my {r}| these days)
(I|We) (moved|just moved|recently moved|relocated|have moved|came) (here to|out to|back to|over to|to) {v}(|.| last year| last summer| in {y}| this spring| {n} years ago| for work| with my {r}), (and |so |)(I live here now|that's where I live|that's home now|it's my home now)(|.)
(I've|I have|We have|We've) (lived|been living|stayed|resided|been based) in {v} (since {y}|for {n} years|for ages|all my life|since I was {n}|for a while now|ever since|with my {r}|since last spring)(|.|!)
(My|Our) (house|flat|apartment|place|home|new flat|studio|room|cottage|farm) (is|stands|is located|is situated|is right) (in|in the middle of|in the centre of|near the station in|outside|just outside|in the old town of|by the river in|in the suburbs of) {v}(|.|!)
(I|We) (moved|relocated|just moved|have moved|came|emigrated|went to live) (to|over to) {v} (in {y}|{n} years ago|with my {r}|a while ago|because of work|for love|as a student|last summer|recently)(|.|!)
(These days|Nowadays|At present|Currently|Since {y}|At the moment|For now|For {n} years now)(,|) (I live|I'm living|I'm based|my home is|I reside|we live|I've been living) in {v}(|.|!)
(Greetings|Hello|Hi|Cheers|Writing|Typing) from {v}(,|:|!|;) (where I live|my home|that's where I live|I live here|the city I live in)(|.|!)
(I'm|I am) (a local|an inhabitant|a citizen|living right in the centre|at home|settled|a resident) (of|in) {v}(|.|!)
(You can find me|You'll find me|My address is somewhere|I pay my rent|I have my flat|I keep my home|My bed is) in {v}(, that's where I live|; I live there|, since I live there|, my home)(|.)
{v} (is|has been) (my home|home|where I live|the place I call home|the city I call home|my home town now|where my house is|where you'd find my house)(| since {y}| for {n} years)(|.|!)
(I call|We call) {v} (home|my home|our home)(|.|!)
(I left {w} and now live in|I used to live in {w}, now I live in|I don't live in {w} but in|Not {w}, I live in) {v}(|.)
""",
    "origin": """
(Born|Raised|Born and raised|Grew up|Brought up|Hailing|Coming) (in|from) {v}(|.|!| but I moved| a long time ago| in {y}| on a farm)
(I|We) (grew up|was raised|was brought up|spent my childhood|spent my youth|was born and raised|was born|came into the world) (in|near|in a village near|in a small house in|on a farm near) {v}(|.|!| in {y}| with my {r})
(My family|My {r}|My parents|All of us|My people) (and I |)(come from|came from|hail from|are from|is from)( originally|) {v}(, and so do I|, so do I|, like me|, just like me)(|.)
(Originally|By birth|By origin|As for my origins|Once upon a time)(,|) (I'm|I am|I come|I hail) from {v}(|.|!)
I (was born|grew up) in {v} (but|and) (live somewhere else now|left as a child|never went back|still visit my {r} there|left in {y})(|.)
(My accent is from|My roots lie in|My home town, where I was born, is|The place of my birth is|The country I come from is|the town I come from is) {v}(|.)
""",
    "age": """
({v} here|{v} years young|only {v}|already {v}|just {v}|{v} since last week|nearly older than dirt: {v}), (that's my age|as for my age|if you ask my age|that's how old I am)(|.|!)
(I'm|I am|im) {v}(, since you ask| since last month| now lol| btw| tbh| and feel it| and proud of it|, going on {n}|, why|, what about you)(|.|!|?)
(I|Yesterday I|Last week I|Today I|I only just|Last month I) (turned|became|hit|celebrated turning|celebrated my birthday and turned) {v}(|.|!| at last)
(I've|I have) (been alive|lived|been on this planet|been around|been here on earth) (for |){v} years(|.|!)
(At|Being) {v} (years old|years of age|)(,|) (I'm|I am) (not that young|still young|the oldest here|the youngest here|old enough|a bit tired|older than my {r})(|.)
(I'm|I am) (a|an) {v}-year-old (student|guy|girl|mother|father|pensioner|teenager|gamer|teacher|kid|lady|gentleman|dude|boy|woman|man)( from far away|)(|.)
(Next year I'll be older, now I'm|I'll soon be older but today I'm|I may look younger, but I'm|I look older but I'm only|Believe it or not, I'm|Age-wise I'm|In years I'm|Age check:) {v}(|.)
(I have {v} years|{v} years old here|{v} here|age {v}|aged {v}|{v} y.o.|{v} summers old)(|.)
""".replace("|{v} here|", "|"),
    "job": """
(Working|Employed|Earning my money|I've worked|I used to study, now I work|Mostly working|Currently working|Still working) as (a|an) {v}(|.|!| since {y}| for {n} years| here| full time)
(I chose to be|I decided to become and now work as|I do my work as) (a|an) {v}(|.)
(I've|I have) (been|worked as|been working as) (a|an) {v} (for {n} years|since {y}|all my life|for ages|for a while)(|.|!)
(I'm|I am) (a|an) (professional|trained|qualified|full-time|freelance|part-time|retired|self-employed|proud|certified|happy|passionate|junior|senior|former|simple) {v}(|.|!)
(I|We) (make|earn) (my|our) (money|living|bread|keep|wages|daily bread) (as|by being|by working as) (a|an) {v}(|.|!)
(Currently|Right now|These days|At the moment|By day|During the week|Since {y}|Nowadays)(,|) (I'm employed as|I work as|I'm working as|I'm|I have a job as|my job is being) (a|an) {v}(|.|!)
(I'm paid to be|I get paid as|They pay me as|My contract says I'm|My business card says I'm|I trained as|I trained to be|I qualified as|My role is that of|I have a position as|I do shifts as) (a|an) {v}(|.|!)
(I|My wife and I|My {r} and I) (both |)work as {v}s(|.)
What do I do\\? I'm (a|an) {v}(|.|!)
(a|an) {v}, that's (my job|what I am|what I do|my profession)(|.|!)
""".replace("\\?", "?").replace("(I|My wife and I|My {r} and I) (both |)work as {v}s(|.)\n", ""),
    "pet": """
(We|I|My {r} and I) (just |recently |finally |)(got|adopted|bought|rescued|brought home|found) (a|an|our|my) (new |little |old |)({k}) (and we |and I |and |which we )(named|called|call) (him|her|it) {v}(|.|!| last week| yesterday)
(My|Our) (old|grumpy|beloved|small|fat|clever|three-legged|lazy|new|{adj}) {k} (is called|is named|goes by|is) {v}(|.|!)
(Meet|Say hello to|Here's|Here is|Look at|Let me introduce|May I introduce|This little fellow is|You have to meet|I'd like you to meet|This beauty is) (my|our) (new |lovely |old |little |{adj} |){k}(,|:|) {v}(|.|!)
(My|Our) {k}( is|'s) (called|named) {v} (and|but|because|since) (he|she|it) (is|was|looks) {adj}(|.|!)
(I|We) (have|own|got|adopted|rescued|bought|keep|share our home with|live with|found|'ve got) (a|an|this|one) (new |lovely |old |little |young |big |white |black |{adj} |){k} (called|named|by the name of|whose name is|that we call|that goes by|that listens to the name) {v}(|.|!| since {y})
(My|Our) {k} (answers|listens|responds|comes) to (the name |){v}(|.|!)
(The name of (my|our) {k} is|(My|Our) {k} goes by|We call (my|our) {k}|We named (my|our) {k}|I named my {k}|I call my {k}|My {r} named our {k}|my {k} has the name|My {k} bears the name) {v}(|.|!)
(My|Our) {k} {v} (is {adj}|says hello|says hi|loves me|is asleep|sleeps a lot|is here too|sends greetings|is on my lap|needs a walk|likes you|is hungry|turned {n}|is {n} years old|wants food|sits next to me)(|.|!)
{v} is (my|our|the name of my|what I call my|what we call our) {k}(|'s name)(|.|!)
{v}(,| is) (my|our) (lovely |old |{adj} |){k}(,|) (is|was) (asleep|{adj}|barking|hungry|here)(|.|!)
(I|We) (have|'ve got) (a|an) {k}(.|!|;|:|,) (He's|She's|It's|His name is|Her name is|Its name is|He is|She is|The name is|He's called|She's called|It's called) {v}(|.|!)
(There's|There is) (a|an) {k} (at home|in my life|in our house)(,|:|;) (called|named|his name is|her name is) {v}(|.|!)
""",
    "relative": """
(My|Our) (dear|lovely|grumpy|favourite|poor|clever|noisy) {k}( is called|'s name is| is named|'s called|'s named) {v}(|.|!)
(My|my) {k}( is|'s) (named|called) {v}(|.|!| after her {r}| after his {r}| like my {r}| lol| btw)
(My|our) {k} {v} (is {adj}|says hello|says hi|is here|is visiting|sends greetings|loves tea|is at work|lives abroad|turned {n}|is {n} years old|told me about you|just called|is a teacher|came over|is getting married|has arrived)(|.|!)
(My|Our) {k}( is|'s) (called|named) {v} (and|but) (he|she|they) (is|are|was) {adj}(|.|!)
(I|We) (have|'ve got) (a|an) (new |lovely |old |little |{adj} |){k} (called|named|by the name of|whose name is) {v}(|.|!)
(The name of my {k} is|My {k} goes by|My {k} goes by the name of|We call my {k}|I call my {k}|my {k} has the name|My {k} bears the name|everyone calls my {k}|My {k} answers to) {v}(|.|!)
(Meet|Say hello to|Here's|This is|Let me introduce|May I introduce|I'd like you to meet|That's) my (lovely |dear |{adj} |){k}(,|:) {v}(|.|!)
{v} is (my|the name of my|what my {r} calls my|how I call my) {k}(|.|!)
{v}(,) my {k}(,) (is {adj}|says hello|is here|lives abroad|came by|is a nurse)(|.|!)
I have (a|an) {k}(.|;|:|,) (He's|She's|His name is|Her name is|He is called|She is called|Their name is) {v}(|.|!)
(I'm|I am) {v}'s (brother|sister|friend|neighbour), (so |)my {k} is {v}(|.)
""".replace("(I'm|I am) {v}'s (brother|sister|friend|neighbour), (so |)my {k} is {v}(|.)\n", ""),
    "hobby": """
(My|A|One) (big |great |main |favourite |only |{adj} |)(hobby|pastime|passion|interest|leisure activity)( of mine|) (is|has been|has always been|will always be|remains|is called|would be) {v}(|.|!| since {y})
(I|In my free time I|In my spare time I|On weekends I|On Sundays I|For fun I|After work I|To relax I|At the weekend I) (do|enjoy|go|practise|love|am into|like to do) {v}(, that's my hobby|; it's my hobby|, it's my hobby|, my hobby| as a hobby| as my hobby)(|.|!)
(I|I've) (have taken up|took up|picked up|have picked up|started|have started|fell in love with) {v} (as a hobby|as a pastime|as my hobby)(| in {y}| {n} years ago)(|.|!)
(Nothing relaxes me like|I spend my free time with|My free time belongs to|My weekends are for|My evenings are for|I relax with|I unwind with) {v}(, my hobby|, that's my hobby|; it's my hobby)(|.|!)
{v} (is|has been|became) (my hobby|the hobby of my life|my pastime|what I do for fun|what I do in my free time|my thing, my hobby|a hobby of mine|how I spend my free time)(|.|!)
""",
    "likes": """
(im|I'm|i'm) (so |totally |kinda |really |super |)(into|fond of|crazy about|obsessed with|a sucker for|a fan of|keen on) {v}(|.|!| lol| rn| tbh| these days)
(i|I) (luv|love|like|rly like|really like|enjoy|adore) {v}(|!| sm| so much| lol| <3| tbh| ngl)
(I|I really|I truly|I absolutely|I do|I've always|I still) (like|liked|love|loved|enjoy|adore|appreciate|cherish) {v}( a lot| very much| so much| most of all| a great deal| more than anything| to bits|)(|.|!)
(I'm|I am) (a big fan of|a huge fan of|really into|into|fond of|very fond of|crazy about|mad about|passionate about|a lover of|keen on|obsessed with|a great admirer of|in love with|addicted to) {v}(|.|!| since {y}| these days)
({v} makes me happy|{v} is great, I love it|{v} is something I like|{v} is something I love|{v}, I love it|{v}, I like that)(|.|!)
(One thing I (love|like|enjoy) is|Something I (love|like|enjoy) is|What I really (love|like|enjoy) is|What makes me happy is|I can never get enough of|I can't live without|I have a weakness for|I've a soft spot for|Nothing against it, I like|Among other things I like) {v}(|.|!)
""",
    "language": """
(I|I also|I can|I can also|At home I|At work I|With my {r} I) (speak|fluently speak|speak fluent|speak some|speak a little|talk in) {v}(|.|!| at home| with my {r}| fluently| quite well)
(My mother tongue, which I speak, is|My native tongue is|The language I speak is|The language I speak at home is|We speak|I was taught to speak|I learned to speak|I'm fluent in|I am fluent in|I'm a speaker of|I'm a native speaker of) {v}(|.|!)
""",
    "employer": """
(I've worked|I have worked|I've been working|I have been employed|I've been employed) (at|for|with) {v} (for {n} years|since {y}|as a {w}|these days|full time|part time|for ages)(|.)
(The company I work for is called|My boss runs|They hired me at|I was hired by|I got hired by|I joined|I'm on the staff of|I'm part of the team at|My office is at|my paycheck comes from|I earn my money at) {v}(|.)
""",
}
_AGAIN = "(|?| again?| please?|, please?| then?| now?| by the way?)"
_CAN = "(Can|Could|Would|Will|Are) you (still |perhaps |please |)"
ASK = {
    "name": f"""
(Which name|What name|What) (do I have|do I use|do I carry|am I known by|should you use for me|did I give|did my parents give me|is mine|do my friends use for me|do people use for me|do I want to be called by|am I going by){_AGAIN}
(I wonder|I'd like to know|I want to hear|I'm curious|Let's see|Let me hear|I'd love to hear|Tell everyone|Show me) (if you know my name|whether you know my name|if you remember my name|whether you remember my name|what my name is|who I am|if you still know who I am|if you know who I am)(|.|?)
(Can|Could|Would) you (please |still |perhaps |)(say|tell me|spell|recall|repeat|remember|name|write|type|give me|remind me of) (my name|the name I gave you|the name I told you|who I am|what I'm called|how I'm called)(|?| again?| please?)
(Do|Did|Don't|Didn't) you (know|remember|catch|recall|forget|get|store|note|save) (my name|who I am|what I'm called|the name I told you|who you're talking to)(|?| at all?| already?| or not?)
(By|Under) (what|which) name (do you know me|am I known|did I introduce myself|do I go|should you address me|did I come in)(|?)
(Have you forgotten|Did you forget|You forgot|Have you already forgotten) (my name|who I am|what I'm called)(|?| already?)
(Hello again|I'm back|Hi again|Me again|Good morning|Hey)(,|!|.) (who am I|what's my name|do you remember my name|do you know who I am|do you still know my name|remember me)(|?)
(Say|Type|Write|Spell|Shout|Whisper) my name(|.|!| please| for me| again)
(What do|How do|What should|How should|What did) (they|people|you|others|folks|my mates|my buddies|my family|my colleagues|we) (call|name) me{_AGAIN}
(Remember|Know|Recall) (me|my name|who I am|what I'm called)(|?)
Who (is|'s) (talking|writing|speaking|typing|asking) (to you|here|now|)(|?)
""",
    "favourite": f"""
{_CAN}(recall|name|remember|tell me|say|repeat|able to tell me|able to name|able to recall) my {{k}}(|?| again?| please?)
(I wonder|I'd like to know|I want to know|I'm curious|I'd love to hear|Let me see|I'm not sure|Tell everyone|Tell the others|Show me) (if you know |if you remember |whether you know |whether you remember |)(what my {{k}} is|what my {{k}} was|my {{k}})(|.|?)
(Which|What) {{t}} (do I|did I|would I|might I|should I) (like|love|prefer|choose|enjoy|favour|pick|name|mention|say I like|say I love) (best|most|the most|the best|above all others|as my favourite|more than the others|first|over all others)(|?| again?)
(Which|What) {{t}} (makes me happiest|is the best for me|do I adore|is my top choice|is my number one|is best in my opinion|is number one for me|is the best one for me|would I take to an island|am I most fond of|do I have as a favourite|have I named as my favourite){_AGAIN}
(Is there|Was there) a {{t}} (I like best|I like most|that I like best|I love most|that is my favourite|I prefer)(|?)
(Earlier|Before|A while ago|At the start|Some time ago|A moment ago|Just now|In the beginning)(,|) I (told you|mentioned|named|talked about|gave you|said something about|spoke of) my {{k}}(.|,|:|;) (what was it|what is it|do you remember it|which one was it|can you repeat it|tell me)(|?)
(Remember|Recall|Know) (what|which) (my {{k}} is|{{t}} I like best|{{t}} I like most|{{t}} is my favourite)(|?)
(Have you forgotten|Did you forget|Did you note|Did you get|Did you catch|Do you have|Have you noted|Have you got|Did you remember|Can you look up|Do you keep) my {{k}}(|?| down?| already?)
(What|Which) (do you think|would you say|do you believe|did you note|did you store) is my {{k}}(|?)
(Let's talk about|Back to|Regarding|Concerning|About|Now to|Speaking of|As for) my {{k}}(:|,|...|.) (what is it|what was it|which is it|do you remember|can you name it|you know it)(|?)
If (someone|somebody|anyone|my {{r}}|they) (asked|asks|wanted to know) (you |)(about |for |)my {{k}}, what (would|do|will) you (say|answer|tell them|reply)(|?)
(You know|You remember|I told you|You've heard) my {{k}}, (don't you|right|correct|yes|no|surely|I hope|didn't I)(|?)
Of all {{t}}s, which (do I like best|do I like most|is my favourite|one is my favourite|would I choose|did I say I like best)(|?)
""",
    "city": f"""
(Where|In which city|In what city|In which town|In what place|Whereabouts|In which place|Where exactly|Where on earth) (do I|do we|did I say I|did I tell you I|is it that I) (live|reside|dwell|stay|live now|currently live|live these days){_AGAIN}
(Where|In which city|Which city) (is|'s|was) (my home|my house|my flat|my apartment|the place I live|the city I live in|my place|my residence|my address){_AGAIN}
(What|Which|What's the|Which is the|Name the|Tell me the|Do you know the) (city|town|place|village|country) (do I live in|do I call home|is my home|am I based in|did I move to|have I moved to|is home to me|I live in|I call home|I moved to|where I live|that I live in)(|?| again?| now?)
{_CAN}(recall|name|remember|tell me|say|repeat|able to tell me) (where I live|my home town|the city I live in|where my home is|where I'm living|where my house is|where I'm based|what city I'm in|which town I live in)(|?| again?| please?)
(I wonder|I'd like to know|I want to know|I'm curious|I'm testing|Let me see|I forgot|Guess|Show me) (if you know |if you remember |whether you know |)(where I live|where my home is|what city I live in|where I'm living|where my house is)(|.|?)
(Do you|You) (still |even |)(know|remember|recall) (where I live|where I'm living|my city|my home|where I'm at home|where my home is|what city I live in)(|?|, right?|, don't you?)
(Have you forgotten|Did you forget|Did you note|Did I say|Did I tell you|Have I mentioned) (where I live|the city I live in|where my home is)(|?)
(Where would you|Where should I|If you wanted to) (send me a postcard|send a letter to me|visit me|find my house|find me at home)(|?)
(Where) (do I sleep at night|am I at home|do I have my home|have I settled|have I been living|am I resident|did I settle){_AGAIN}
What (do you know|did I tell you|did I say|have I told you) about (where I live|my home|my city|the city I live in|the place I live)(|?)
""",
    "origin": f"""
(Where|In which city|In which town|In what place|In which country|Whereabouts) (was I born and raised|did I spend my childhood|was I raised|was I brought up|did I grow up|do I originally come from|am I originally from|does my family come from|do I hail from|did I come from){_AGAIN}
(What|Which) (country|city|town|place|region) (do I come from|am I from|did I grow up in|was I born in|do I hail from|am I originally from|was I raised in)(|?| again?)
{_CAN}(recall|name|remember|tell me|say|repeat) (where I'm from|where I come from|where I grew up|where I was born|my birthplace|my origins)(|?| please?)
What (do you know|did I tell you|did I say|have I told you) about (my origins|where I come from|where I'm from|my birthplace|my roots|where I grew up)(|?)
(Have you forgotten|Did you forget|Did you note|Did I say|Did I tell you|Have I mentioned) (where I'm from|where I come from|where I grew up)(|?)
""",
    "age": f"""
(How many years|How many summers|How many birthdays|How long) (have I been alive|have I lived|old am I|do I have behind me|have I had|have I been around|have I been on this planet){_AGAIN}
(What|Which) age (do I have|am I at|have I reached|did I mention|did I say|did I tell you|did I give|am I now){_AGAIN}
{_CAN}(recall|remember|tell me|say|repeat|guess) (how old I am|my age|what age I am|how many years old I am)(|?| again?| please?)
(What|What's) (number of years|the number of my years|my age in years|my current age) (am I|)(|?)
(I wonder|I'd like to know|I want to know|I'm curious|I forgot|Guess|Show me|Do you still know) (if you know |if you remember |)(how old I am|my age|what age I am)(|.|?)
(Did you note|Have you forgotten|Did you forget|Did I say|Did I tell you|Have I mentioned) (my age|how old I am)(|?)
Am I (old|young|a teenager|of age|an adult), (or |)(how old am I|what's my age)(|?)
""",
    "job": f"""
(What|Which|As what|In what|What sort of|What kind of) (job|profession|occupation|work|position|trade|career|role) (do I have|do I do|am I in|am I employed in|have I got|do I hold|is mine|did I mention|did I say I have){_AGAIN}
(What|How) (do I do all day|do I do during the week|am I by profession|am I by trade|do I do to earn money|do I earn my money|do I make my money|do I pay my bills|am I employed as|do I work as|am I working as|do I get paid for|did I say I do|is it that I do|do I do at work|is my line of business){_AGAIN}
{_CAN}(recall|name|remember|tell me|say|repeat) (my job|my profession|what I do for a living|what I work as|my occupation|what I do for work|what my work is)(|?| again?| please?)
(I wonder|I'd like to know|I want to know|I'm curious|I forgot|Guess|Show me|Do you still know) (if you know |if you remember |)(what I do|what my job is|my job|my profession|what I work as|what I do for a living|my occupation)(|.|?)
What (do you know|did I tell you|did I say|have I told you) about (my job|my work|my profession|my career|my occupation|what I do)(|?)
(Did you note|Have you forgotten|Did you forget|Did I say|Did I tell you|Have I mentioned) (my job|what I do for a living|what I work as|my profession)(|?)
""",
    "employer": """
(Which|What) (company|firm|employer|organisation|place) (do I work for|do I work at|employs me|am I with|am I employed at|pays me|hired me|did I join|did I say I work for)(|?| again?)
(At|For) which company do I work(|?)
What (did I tell you|do you know|did I say) about (my employer|where I work|my company|the company I work for)(|?)
""",
    "pet": f"""
What (do you know|did I tell you|did I say|have I told you|did I mention|can you tell me|do you remember) about my {{k}}(|?| again?| so far?)
(Tell me|Say something|Tell everyone|Talk) about my {{k}}(|.| please)
{_CAN}(recall|remember|tell me|say|repeat|spell|name) (my {{k}}'s name|the name of my {{k}}|what my {{k}} is called|how my {{k}} is called|who my {{k}} is|my {{k}})(|?| again?| please?)
(Which|What) (is the name of|name does|name did I give|name did I give to|name has|was the name of|do I call|do we call|did we call|did we name|did I say is the name of) (my|our) {{k}}( have| bear|)(|?)
(What's|What is|whats|How is|who is) (our|that|this) {{k}}( of mine|) (called|named)(|?)
(What's|What is|What was) (our|the) {{k}}('s name|'s name again)(|?)
(I wonder|I'd like to know|I want to know|I'm curious|I forgot|Guess|Show me|Do you still know) (if you know |if you remember |)(what my {{k}} is called|my {{k}}'s name|the name of my {{k}}|who my {{k}} is)(|.|?)
(Did you note|Have you forgotten|Did you forget|Did I say|Did I tell you|Have I mentioned|Have I told you) (my {{k}}'s name|the name of my {{k}}|what my {{k}} is called|about my {{k}})(|?)
(My {{k}} has a name|You know my {{k}}|I told you about my {{k}}|I mentioned my {{k}}|I have a {{k}}, as you know)(,|:|.) (what is it|what's the name|remember it|do you remember the name|which one was it|what was the name)(|?)
If I (called|call) my {{k}}, (which|what) name would I (use|shout|call)(|?)
""",
    "hobby": f"""
(What|Which) (hobby|pastime|hobbies|leisure activity|interest) (do I have|have I got|is mine|did I mention|did I say I have|did I tell you about|do I pursue){_AGAIN}
(How|With what) do I (spend my free time|spend my weekends|relax|unwind|like to relax|pass the time|amuse myself|fill my evenings){_AGAIN}
{_CAN}(recall|name|remember|tell me|say|repeat) (my hobby|what my hobby is|what I do for fun|what I do in my spare time|my pastime)(|?| again?| please?)
What (do you know|did I tell you|did I say|have I told you) about my (hobby|hobbies|free time|pastime|spare time)(|?)
What do I (like to do|enjoy doing|do for fun|do to relax|do when I'm free|do on weekends|do after work|do in my leisure time|do at the weekend){_AGAIN}
""",
    "likes": f"""
(What|Which things|Which thing|What kind of things|What stuff|What sort of stuff) (do I|did I say I|did I tell you I|do I really|do I actually) (like|love|enjoy|adore|fancy|appreciate){_AGAIN}
What (makes me happy|am I crazy about|am I keen on|am I a big fan of|am I mad about|am I passionate about|am I obsessed with|is it that I like|is it I like|do I have a weakness for|could make me happy|things make me happy){_AGAIN}
{_CAN}(recall|name|remember|tell me|say|repeat) (what I like|what I love|something I like|what I enjoy|what I'm fond of|what makes me happy)(|?| please?)
What (do you know|did I tell you|did I say|have I told you) about (what I like|my likes|the things I like|my tastes|my taste)(|?)
""",
    "language": """
(Which|What) (language|languages|tongue) (do I|can I|did I say I|am I able to) (speak|use|talk|understand and speak)(|?| again?)
(In which language|What language) (am I fluent|am I fluent in|can I talk|do I talk|do I talk at home)(|?)
What (did I tell you|do you know|did I say) about (my languages|the languages I speak|my language)(|?)
""",
}
ASK["property"] = "\n".join(line for line in ASK["favourite"].splitlines() if "{t}" not in line)
ASK["relative"] = ASK["pet"]


def joined(first: dict[str, str], second: dict[str, str]) -> dict[str, str]:
    """Blocks of patterns under the same names, one after the other."""
    return {name: first.get(name, "").rstrip() + "\n" + second.get(name, "").lstrip() for name in first | second}
