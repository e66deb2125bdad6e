"""The ways to ask for a fact about oneself. One pattern a line; {k} is the thing, {t} a favourite thing without that word."""

ASK = {
    "name": """
6*(What is|What's|whats|What was|what's) my name(|?| again?| please?| then?| now?|, please?)
2*(Do you know|Do you remember|Can you remember|Can you recall|Do you recall|You remember|Did you remember|Did you catch|Have you got|Could you tell me|Can you say|Say|Tell me|Please tell me|Remember|do you still know|do you still remember) my name(|?| please|, please| again?| by any chance?| at all?)
2*(Who am I|who am i|Do you know who I am|do you remember who I am|So who am I|And who am I|Who is this|Who's this|who are you talking to|Who are you speaking to|who are you chatting with|do you know who you're talking to)(|?| again?)
(What am I called|How am I called|What do people call me|What do they call me|what do you call me|What did I say my name was|What did I say my name is|what did I tell you my name was|What name did I give you|What name did I tell you|Which name did I tell you|How did I introduce myself|what should you call me|what will you call me|how should you address me|How do you call me|what did I ask you to call me)(|?)
(what|tell me what|remind me what|do you know what|do you remember what|can you tell me what|can you remind me what|I wonder if you know what|I forgot what) my name (is|was)(|?|.| again?| please?)
(My name|my name, please|my name)?
(Did I tell you|Have I told you|Did I mention|Did I ever tell you|have i ever told you|Did I say|Do you have) my name(|?| already?| yet?)
(What|Which) (name|nickname) (do I go by|do I use|am I using|do I have|have I got|was I given|did I give|did I say|do you have for me|do you know me by|did I introduce myself with|have I told you)(|?| again?)
(How|What) (do|does|did|should|would|will|can) (you|people|everyone|my friends|others|they|I want you to) (call|address|know|name) me(| as| by)(|?| again?)
(Do you|Do u|You) (know|remember|recall|still know|even know) (who I am|what I'm called|how I'm called|what my name is|what they call me|me|who you're talking to|who I was|who this is)(|?| at all?)
(Can|Could|Would|Will) you (tell me|say|repeat|remind me of|recall|state|give me|spell) my name(|?| please?| once more?| again?)
(So what|And what|Now what|ok what|well, what)('s| is) my name(|?| then?)
(Say my name|Say it: what's my name|What's the name I told you|what is the name I gave you|Which name is mine|what's my first name|what is my first name|who do you think I am|Address me by my name|call me by my name|Tell me who I am|say who I am|remind me who I am)(|?|.|!)
(Earlier|Before|At the start|In the beginning|A while ago|Some time ago|A moment ago)(,|) I (told|gave|mentioned) (you |)my name(.|,|:) (what is it|what was it|do you remember it|which was it|can you repeat it|say it)(|?)
(I forgot my own name(,|.|:)|I've forgotten my name(,|.|:)|I lost my memory(,|.|:)) (what is it|can you tell me|help me|can you help|who am I)(|?)
(Complete|Finish)( this|) (sentence|): (my name is|I am called) ...
(You do know my name, right|You know my name, don't you|you haven't forgotten my name, have you|I bet you forgot my name|bet you don't know my name|you still know my name, right|I hope you remember my name)(|?|.)
""",
    "favourite": """
7*(What is|What's|whats|What was|what's|Which is|What are|wats) my {k}(|?| again?| please?| then?| now?|, please?| of all?| currently?)
3*(Do you know|Do you remember|Can you remember|Can you recall|Do you recall|Remember|Could you tell me|Tell me|Please tell me|Say|do you still know|do you still remember|remind me of|Please name|Name|state) my {k}(|?| please|, please| again?| by any chance?)
2*(what|tell me what|remind me what|do you know what|do you remember what|can you tell me what|can you remind me what|I forgot what|I wonder what) my {k} (is|was)(|?|.| again?| please?)
(What did I say|What did I tell you|What have I told you|what had I said) (my {k} was|my {k} is|was my {k}|about my {k}|is my {k})(|?)
(What|Which one) (would you say is|do you think is|did I call|did I say is) my {k}(|?)
(my|My) {k}(?|, please?|, please|, what is it?|, what was it?|: what is it?|... what was it?| is what?| is ...?| is?| was?)
(Did I tell you|Have I told you|Did I mention|Did I ever tell you|Did I say) my {k}(|?| already?| yet?)
(Can you guess|Guess|I bet you forgot|you haven't forgotten|Let's see if you remember|let's see if you know|I hope you remember|You do know) my {k}(|?|, right?)
(I forgot|I've forgotten|I can't recall|I don't remember) my {k}(,|.|:|;) (what is it|what was it|can you help|can you tell me|help me out)(|?)
(Do I have|have I got) (a|an) {k}(|?|, and which?| that you know of?)
2*(Which|What) {t} (do I (like|love|prefer|enjoy) (most|best|the most|the best|above all)|did I say (I like best|I like most|was my favourite|is my favourite|I love most)|is my favourite|is my favorite|did I tell you (is my favourite|I like most|I like best)|do I like more than any other|do I favour|was my favourite|would I choose|is the one I like best)(|?| again?)
(What|Which) is the {t} (I like best|I like most|I love most|I prefer|I told you I like best|I said I like most)(|?)
(Do you know|Tell me|Do you remember|Can you tell me|Remind me|Can you recall|I forgot) (which|what) {t} (I like best|I like most|is my favourite|I love most|I prefer|I said I like best|is my favorite)(|?|.)
(So|And|Now|Okay, so|right,)(,|) (what|what's|what is) my {k}(|?| then?)
(What|Which) (might|could|would) my {k} be(|?)
(What|Which) {k} (do I have|have I got|did I mention|did I tell you|did I name|have I mentioned)(|?)
(You know|You remember|You should know|You must know|I told you) my {k}(, right?|, don't you?|, what is it?|. What is it?|, so what is it?|: what is it?|. Which is it?| - say it)
What (have I said|did I say|did I tell you|have I told you) (is|was|about) my {k}(|?)
(Name|State|Give me|Repeat|Write|Type|Say|Print|Show me|Spell) my {k}(|.|!| please| again)
my {k}
""",
    "city": """
6*(Where do I live|Where am I living|where do i live|Where's my home|Where is my home|Where am I based|Which city do I live in|What city do I live in|What town do I live in|In which city do I live|in what city do I live|Where is it that I live|Where do I reside|What place do I live in|what's my city|where did I move)(|?| again?| now?| please?| these days?)
2*(Do you know|Do you remember|Can you remember|Can you tell me|Tell me|Remind me|do you recall|Could you tell me|Please tell me|Say|I forgot) (where I live|which city I live in|where my home is|where I'm living|what city I live in|the city I live in|my city|what town I live in)(|?|.| please| again?)
(Where did I say I live|Where did I tell you I live|What did I say about where I live|Where did I say that I live|which city did I say I live in|where did I say I was living)(|?)
(Did I tell you|Have I told you|Did I mention|Did I say) where I live(|?| already?| yet?)
""",
    "origin": """
5*(Where am I from|Where do I come from|where am i from|Where was I born|Where did I grow up|What's my birthplace|Where do I come from originally|What country am I from|Where are my roots|Which place do I come from|what is my birthplace)(|?| again?| please?)
(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall|Please tell me) (where I'm from|where I come from|where I was born|where I am from|where I grew up)(|?|.| please| again?)
(Where did I say I was from|Where did I say I come from|Where did I tell you I'm from|where did I say I'm from)(|?)
""",
    "age": """
5*(How old am I|how old am i|What is my age|What's my age|Whats my age|What age am I|how old am I exactly|How many years old am I)(|?| again?| now?| please?)
(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall|Can you remember|Please tell me|Say) (how old I am|my age|what my age is|what age I am)(|?|.| please| again?)
(How old did I say I am|How old did I say I was|What did I say my age was|What age did I give you|How old did I tell you I am)(|?)
(Did I tell you|Have I told you|Did I mention) (my age|how old I am)(|?)
""",
    "job": """
5*(What is my job|What's my job|whats my job|What do I do for a living|what do I do for work|What is my profession|What's my profession|What is my occupation|What's my occupation|What do I work as|What am I working as|what's my line of work|What kind of work do I do|What job do I have|what do I do|how do I earn my living|As what do I work)(|?| again?| now?| please?)
(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall|Can you remember|Please tell me|Say) (my job|what my job is|what I do for a living|my profession|what I work as|what job I have|my occupation|what I do for work)(|?|.| please| again?)
(What did I say my job was|What did I say my job is|What did I tell you about my job|What did I say I do for a living|what did I say I work as)(|?)
(Did I tell you|Have I told you|Did I mention) (my job|what I do|what my job is)(|?)
""",
    "employer": """
4*(Where do I work|Who do I work for|Who is my employer|Who's my employer|What company do I work for|Which company do I work at|What's my workplace|for whom do I work|who employs me)(|?| again?| now?| please?)
(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall) (where I work|who I work for|my employer|which company I work for)(|?|.| please| again?)
(Where did I say I work|Who did I say I work for)(|?)
""",
    "pet": """
4*(What is|What's|whats|What was) (my {k}'s name|the name of my {k}|my {k} called|my {k} named)(|?| again?| please?)
3*(Do you know|Do you remember|Can you tell me|Tell me|Remind me of|do you recall|Can you remember|Please tell me|Say|Remember) (my {k}'s name|the name of my {k}|what my {k} is called|how my {k} is called|what my {k}'s name is)(|?|.| please| again?)
(How is|what do I call|What did I call|What did I name|how did I call|What name did I give) my {k}( called|)(|?)
(What did I say my {k} was called|What did I say my {k}'s name was|what did I tell you my {k} is called|What did I say is the name of my {k})(|?)
(Do I have|Have I got) (a|an|any) {k}(|?)
(Who is|Who's) my {k}(|?)
(my {k}'s name|the name of my {k}|my {k})(?|, please?|, what is it?| is ...?)
(Did I tell you|Have I told you|Did I mention) (my {k}'s name|the name of my {k}|what my {k} is called)(|?)
""",
    "hobby": """
5*(What is my hobby|What's my hobby|whats my hobby|What do I do in my free time|What do I do for fun|What's my pastime|What do I do in my spare time|what is my passion|What hobby do I have|What are my hobbies|which hobby do I have|do I have a hobby|do I have any hobbies)(|?| again?| please?)
(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall|Please tell me|Say) (my hobby|what my hobby is|what I do in my free time|what I do for fun|my pastime|about my hobby)(|?|.| please)
(What did I say my hobby was|what did I say about my hobby|what hobby did I mention)(|?)
""",
    "language": """
4*(What language do I speak|Which language do I speak|What languages do I speak|which languages can I speak|what do I speak|What's the language I speak)(|?| again?| please?)
(Do you know|Do you remember|Can you tell me|Tell me|Remind me) (which language I speak|what language I speak|the language I speak)(|?|.| please)
""",
    "likes": """
5*(What do I like|What do I love|What do I enjoy|what do i like|What am I fond of|What am I into|what am I a fan of|What sort of things do I like|what things do I like|What did I say I like|what did I say that I like|what did I tell you I like)(|?| again?| please?)
(Do you know|Do you remember|Can you tell me|Tell me|Remind me) (what I like|what I love|what I enjoy|what I'm fond of|something I like|what things I like)(|?|.| please)
""",
}
ASK["property"] = "\n".join(line for line in ASK["favourite"].splitlines() if "{t}" not in line)
ASK["relative"] = ASK["pet"]
