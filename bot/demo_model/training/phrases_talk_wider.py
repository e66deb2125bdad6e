"""More small talk and questions about the bot, in whole sentences; joined to the first lists by topic."""

WIDER = {
    "hello": """
(Hi|Hello|Hey|Good morning|Good evening|Hiya|Yo|Hey hey)(,|!| Trinity,| Trinity!|) (anyone home|anybody there|nice to see you|good to see you|long time no see|it's me again|I'm new here|how nice to meet you|what a nice day|glad you're here|I hope you're well|hope you're having a nice day|here I am|I just joined|just saying hi|wanted to say hi|happy to meet you)(|!|.|?)
(A very good|Good|Have a good|Lovely) (morning|evening|afternoon|day) (to you|to everyone|to you all|Trinity|my friend|over there|from {c})(|!|.)
(Hello|Hi) (from {c}|world|stranger|computer|machine|robot|little bot|dear bot|my dear|old friend|new friend|you two|people|folks|team|guys|friends|internet)(|!|.)
(Waves|waves hello|*waves*|*waves at you*|o/|\\\\o|hii|helloo|hiiii|heyo|hewwo|'sup|hey yo|henlo|'ello|mornin|good day to you|good to be here|nice place here)(|!|.)
""".replace("\\\\o", "\\o"),
    "bye": """
(I|I really|Sorry, I) (have to|must|need to|should|gotta|better|am about to|will|'ll) (leave|go|run|head off|be off|log off|sign off|go to bed|hit the hay|get some sleep|go to work|get going|say goodbye|disappear|catch my train|dash|get back to work)(| now| soon)(.|,|!|) (bye|goodbye|see you|see you later|see you tomorrow|talk later|take care|good night|cheers|until next time|later||)(|!|.)
(Ok|Okay|Right|Alright|Well|Anyway|So|Thanks,)(,|) (bye|goodbye|see you|see you later|I'm off|good night|that's all|that's it for today|time for bed|I'm leaving|I'm going|take care|until tomorrow|see you next time)(|!|.|, {name})
(Good night|Sleep well|Goodbye|Bye|Farewell|See you)(,|) (and thanks|and thank you|my friend|dear|everybody|little bot|until tomorrow|dear Trinity|for now|and sweet dreams|and take care|it was fun)(|!|.)
(It was|It's been) (lovely|nice|great|fun|a pleasure|wonderful|good) (meeting|talking to|talking with|chatting with|knowing|seeing) you(|!|.|, bye|, goodbye)
(Until|Till|See you|Talk to you|Speak to you|Catch you|I'll see you|We'll talk|Let's talk) (tomorrow|later|soon|again soon|next week|on Monday|next time|some other time|around|after lunch|in a bit|in a while|after the weekend)(|!|.)
""",
    "thanks": """
(Thanks|Thank you|Many thanks|Thx|Cheers|Thank you so much|Thanks a lot|I thank you|Big thanks|A thousand thanks|Thank you kindly|thanks loads|thank you ever so much)(,|!|) (that's great|that helps|that helped|you're great|you're a star|you're the best|that's all|very kind|I appreciate it|you've been very helpful|that was fast|that was quick|very helpful|that's perfect|this helps a lot|I needed that|good bot|nice work)(|!|.)
(I|We) (really |truly |do |)(appreciate|am grateful for|are grateful for|thank you for|value) (it|this|that|your help|your answer|your patience|your time|everything|the effort|all your help)(|!|.)
(How|That's|That was|This is|You are) (kind of you|nice of you|so kind|very kind of you|sweet of you|a big help|a great help|so helpful|very thoughtful)(,|!|) (thanks|thank you|thank you very much|cheers)(|!|.)
(Thanks|Thank you|Cheers) (for|for all) (that|the chat|the talk|the nice talk|listening|remembering me|remembering my name|your answer|your reply|the story|the joke|the code|your kind words|being so kind|asking|counting)(|!|.)
""",
    "who are you": """
(Who|And who|So who|But who|Tell me who|Please say who|I'd like to know who|I wonder who|Can you tell me who|Could you say who|May I ask who|Remind me who|Do you know who|Explain who) (are you|you are|exactly you are|you might be|it is that I'm talking to)(|?|.| really| today| here)
(Please|Could you|Can you|Would you|Why don't you|You should|I'd like you to|Go ahead,|Come on,|Let me hear you) (introduce yourself|present yourself|tell me about yourself|say something about yourself|describe yourself|say who you are|tell us who you are|introduce yourself to us|introduce yourself to everyone|tell us a bit about yourself)(|?|.|!| please| briefly| in a few words| to my friends)
(What|How) (would you say you are|do you describe yourself|would you describe yourself|would you introduce yourself|do you see yourself|is your identity|is your role|is your character|is your persona here|is your story|kind of character are you|sort of character are you|persona are you|are you supposed to be|do you present yourself)(|?)
(We have a new bot|There's a bot here|A bot! Nice|Oh, a bot|I see a new face|New here)(.|:|,|!|?) (Who are you|Introduce yourself|Who is it|and you are|tell us about yourself|who might that be)(|?|.)
""",
    "your name": """
(And|So|But|Now|Okay,|Well,|Right,|Hm,|Sorry,|Excuse me,|Hello,|Hi,|Hey,) (what is your name|what's your name|what are you called|how are you called|your name is|what do they call you|what should I call you|may I know your name|do you have a name|who are you called|what was your name again)(|?| please?| then?)
(What|Which|By what|By which) name (should I call you by|do I call you by|do you go by|are you known by|shall I use|would you like to be called by|do you prefer|can I call you by|should we use for you|do they know you by|do people use for you|is yours|do you bear)(|?)
(How|What) (should|shall|can|may|do|must|would) (I|we|people|everyone|one) (call|name|address|refer to) you( as| by|)(|?| from now on?| here?| please?)
(I|We) (don't know|forgot|didn't catch|never learned|want to know|would like to know|have forgotten|can't remember|need to know|missed) (your name|what you're called|what your name is|what to call you|how to address you)(|.|?|!)
(My friend|My {r}|Someone|Everybody|The others|People) (wants to know|asks|want to know|asked me|would like to know|wonders) (your name|what your name is|what you're called|what to call you)(|.|?)
(You have|You must have|Surely you have|I bet you have|Don't you have) a name(|?|, right?|, don't you?|. What is it?|, what is it?)
(Tell|Give|Say|Spell|Write|State|Type|Repeat|Reveal|Remind me of) (me |us |everyone |)your name(|.|!|?| please| again| once more| for everyone)
(I told you mine|I'm {other}|My name you know|You know my name)(,|;|.|:) (what's yours|now what's yours|and what is yours|and yours|so what is your name|what's your name)(|?)
""",
    "are you a bot": """
(Am I|Are we) (really |just |)(talking|speaking|chatting|writing) (to|with) (a machine|a bot|a real person|a robot|an actual human|software|a program|a language model)(|?| here?| right now?)
(Are|Were|Is) (you|this) (an actual|a real|some kind of|just a|really a|a sort of|only a|maybe a|the same as a) (human|bot|AI|machine|person|chatbot|robot|program|language model|llama|demo|toy|simulation)(|?| or what?| or not?)
(What|Which|What kind of|How big a|How good a|What sort of) (model|AI|language model|neural network|LLM|program|software|bot) (are you|is this|is behind you|runs here|answers me|is answering|do you run on|do you use|is used here|powers you)(|?)
(How|Where|When|By whom|On what|With what) were you (trained|made|built|created|born|programmed|developed|written)(|?)
(How|Why) are you (so small|so limited|so simple|this dumb|not smarter|not like ChatGPT|different from ChatGPT|different from the real model|worse than ChatGPT)(|?)
""",
    "abilities": """
(What|Which things|What kind of things|What stuff|What sort of things|What else) (can you|could you|are you able to|do you know how to|can a bot like you|are you going to|would you) (do|do for me|help me with|help with|help us with|do here|do for us|answer|tell me|offer)(|?| exactly?| then?| really?)
(Can|Could|Would|Will) you (help|assist|support) (me|us)(|?| please?| with something?| a bit?| today?| out?)
(Who are you|Tell me who you are|Introduce yourself|Say who you are|What's your name),? and (what can you do|what do you do|how can you help me|what are you good at|what you can do|what you do|tell me what you can do|what are you for)(|?|.)
(I need|I'm looking for|We need|I could use|I want) (help|some help|a hand|assistance|some assistance|a bit of help|your help)(|.|!|?| with something| please| here)
(Show|Tell|Explain|Demonstrate) (me|us) (what you can do|your abilities|your skills|your features|how you can help|what you're good at|what you are able to do|what you are good for)(|.|!| please)
(What's|What is) (the use of you|your function|your task|the point of you|your use|your role here|your specialty|your talent|your skill set|your field|your main feature)(|?)
""".replace("What's your name),? and", "What's your name) and"),
    "compliment": """
(You|You really) (are|were|have been) (doing great|doing well|so good at this|good at this|very helpful|a great bot|a wonderful bot|really clever|my favourite|a good listener|quite clever|better than I thought|quick|fast|amazing)(|!|.|!!)
(That|This|It) (was|is) (great|amazing|correct|right|perfect|impressive|wonderful|a good answer|a great answer|a nice answer|exactly right|very good|a lovely story|a nice story|funny|a good one|hilarious)(|!|.|!!)
(What a|Such a) (great|good|clever|nice|lovely|wonderful|smart|helpful) (bot|answer|reply|memory|story|assistant|machine|friend)(|!|.)
(I|We) (really |do |)(like|love|enjoy|appreciate) (you|your answers|talking to you|chatting with you|your style|your stories|this bot|your company)(|!|.| a lot)
""",
    "okay": """
(Ok|Okay|Right|Alright|Fine|Good|Sure|I see|Understood|Got it|Great|Cool|Nice)(,|.|!|) (I understand|I see|makes sense|good to know|no problem|let's continue|go on|fair enough|that's fine|never mind|all good|sounds good|if you say so|I get it|as you say|whatever|then|let's move on|thought so)(|.|!)
(That's|It's|All is) (okay|fine|alright|all right|no problem|good|cool|good to know|all good|not a problem|understandable|fair)(|.|!)
(Yes|No|Yeah|Nope|Yep|Well, yes|Well, no|Oh yes|Oh no|Maybe|Not yet|Of course|Certainly|Absolutely|Definitely|Exactly|True|Agreed|Perhaps not|I think so|I don't think so|I guess so|I hope so|Probably)(|.|!|, {name}| indeed| of course| I think| please)
""",
    "insult": """
(You|You really|Why|Man, you) (are|were) (wrong again|so wrong|no help|not helpful at all|such a bad bot|the worst bot|getting on my nerves|a waste of time|really bad at this|too dumb|too slow|not what I expected|an annoying bot|a silly machine|terrible at this)(|!|.)
(That|This|It) (was|is) (wrong|a bad answer|not right|not correct|false|nonsense|rubbish|a stupid answer|no answer|not an answer|not helpful|a lie|not true)(|!|.)
""",
    "reset": """
(How|What|Which way|By which command) (do I|can I|does one|can we|do we|must I|would I) (get you to|make you|let you|have you|force you to|persuade you to) (forget|forget me|forget my name|forget all this|forget this chat|forget what I said|lose your memory|forget the conversation|forget us|start from zero|forget everything I told you|begin again|clear your head)(|?| please?)
(I|We) (want|would like|need|wish|'d like) (you to forget|to clear|to wipe|to reset|to erase|to delete|you to clear|to start over with|to restart) (everything|the conversation|this conversation|this chat|the chat|all of it|my data|what I told you|our history|your memory|the history|my name|the channel)(|.|!| please| now)
(Can|Could|Would|Will) you (please |)(forget|delete|erase|clear|wipe|reset|drop|remove) (everything|the conversation|this conversation|this chat|all of it|my data|what I told you|our history|your memory|the history|my name|my messages|what I said|yourself|me)(|?| now?| please?)
(What happens|What will happen|What would happen) (when|if) I (use|type|run|send|enter|call) (/reset|reset|the reset command)(|?)
(Is there|Do you have|Where is|Where do I find|I'm looking for) (a|the|some) (way|command|button|option) to (reset|reset you|start over|clear the chat|wipe your memory|make you forget|erase everything|delete our chat|forget)(|?|.)
""",
    "persona use": """
(How|What|Which way) (do I|can I|does one|can we|do we|must I|would I) (change|switch|alter|replace|swap|pick|choose|select) (your personality|your character|who you are|your persona|your role|the persona of this channel|your way of being|the character you play|the persona you use)(|?| please?)
(I|We) (want|would like|need|wish|'d like) (you to be|to have|to talk to|to get|you to become|to switch to|to use) (someone else|another persona|a different persona|another character|a different character|a different personality|the pirate|the pirate persona|the poet|the tutor|the sceptic|another personality|somebody else)(|.|!| please| now)
(Can|Could|Would|Will) you (please |)(be|become|switch to|change to|turn into|play) (someone else|another persona|a different persona|another character|a different character|the pirate persona|the poet persona|the tutor persona|somebody different|a different personality)(|?| now?| please?)
(Is there|Do you have|Where is) (a|the|some) (way|command|option) to (change your personality|change your persona|switch personas|switch the persona|change who you are|choose another persona|use another persona|pick a persona)(|?|.)
""",
    "persona list": """
(What|Which|How many) (personas|characters|personalities|roles) (do you have|can you be|can you play|are there|exist|do you offer|can I use|can we use|can I switch to|are built in|are available here|could I choose|are on offer|have you got|come with you)(|?| here?| please?)
(Show|Tell|Give|List) (me |us |)(all |)(the |your |)(personas|available personas|characters you can play|list of personas|persona names|names of the personas)(|.|!| please)
""",
    "persona set": """
(How|What|Which way) (do I|can I|does one|can we|do we|must I|would I) (make|create|write|add|define|save|build|invent|design|set|set up|store) (my own|our own|a new|a custom|another|an additional|a personal|a) (persona|character|personality|system prompt)(|?| please?| for you?| for this server?)
(I|We) (want|would like|'d like|need) to (make|create|write|add|define|save|invent|design|give you) (my own|our own|a new|a custom|another|a) (persona|character|personality|system prompt)(|.|!| please)
""",
    "persona delete": """
(How|What) (do I|can I|can we|do we|must I|would I) (delete|remove|get rid of|erase|throw out|drop) (the persona I made|our persona|a custom persona|the old persona|that persona|a persona we don't need|my own persona|one of our personas)(|?| again?| please?)
""",
    "persona clear": """
(How|What) (do I|can I|can we|do we|must I|would I) (get|bring|have|make) (Trinity back|you back to normal|the default back|the old Trinity back|you be Trinity again|the normal you back|you normal again|you be yourself again)(|?| again?| please?)
(I|We) (want|would like|'d like|miss) (Trinity back|the default persona back|the normal persona again|the old Trinity|the standard persona|the real Trinity)(|.|!| please)
""",
    "persona show": """
(How|Where) (do I|can I|can we|do we|would I) (see|read|find|look up|check) (what persona you have|the persona of this channel|who you are set to be|your current prompt|what your prompt is|your current system prompt|which persona is set)(|?| please?)
(What|Which) persona (is this|is set here|is active here|are you now|do you have now|do you play|is used in this channel|are you wearing|is on)(|?| right now?)
""",
    "persona": """
(Who|Which people) (can|may|is allowed to|is able to|are allowed to|could|has the right to) (change|set|switch|edit|choose|delete|alter|pick) (your persona|the persona|personas|your character|your personality|the persona here|the persona of a channel)(|?| here?)
(What|Which) (permission|permissions|right|rights|role) (do I need|does one need|is needed|are needed|must I have) (to|for) (change the persona|changing personas|set a persona|the persona command|changing your persona|switching personas|use /persona)(|?)
(Why|How come) (can't|can|may) (I|he|she|anyone|everyone|not everyone) (not |)(change|set|switch|use) (the persona|your persona|personas)(|?)
(What|How) (are personas|is a persona|do personas work|does a persona work|are personas for|is a persona good for|does /persona do|is /persona for)(|?| exactly?)
""",
    "help": """
(What|Which) (can I type|commands can I type|commands can I use|do I type|slash commands do I have|can I enter|commands should I know|commands would help|is there to type|instructions do you accept|commands do you listen to|do your commands do|are all your commands|are your slash commands)(|?| here?| please?| exactly?)
(Show|Tell|Give|List|Explain|Print|Name) (me |us |)(all |)(the |your |)(commands|slash commands|list of commands|command list|available commands|possible commands)(|.|!| please)
(Is there|Do you have|Where is|I need|Where do I find|Where can I see) (a|the|some) (help page|list of commands|command list|manual|help command|documentation|overview of commands|command overview|help text|cheat sheet)(|?|.)
""",
    "talk": """
(How|What|Where|When) (do I|can I|does one|can we|must I|should I|would I) (get you to|make you|have you|let you) (answer|reply|respond|talk|speak|react|listen|say something)(|?| in this channel?| to me?| here?| please?)
(Why|How come) (didn't|don't|did|do|won't|doesn't) (you|the bot|it) (not |)(answer|reply|respond|react|talk)( to me| to us| to my message| to that| here|)(|?)
(Do|Must|Should|Can) (I|we|people) (always |)(have to |need to |)(tag|ping|mention|@|call|name) you(| every time| each time| for an answer| to talk to you| to get a reply)(|?)
(Do|Can|Will|Would) you (read|see|answer|answer to|follow|hear|get|listen to) (everything|all messages|every message|all of us|DMs|direct messages|private messages|threads|messages without a mention|replies|other channels|our messages)(|?| here?)
""",
    "memory": """
(How|What) (long|far back|much|well|many messages|many things) (can you|do you|will you|could you) (remember|keep in mind|recall|store|memorise|hold in memory)(|?| things?| exactly?| of this?| about us?)
(Do|Can|Will|Would) you (still |)(remember|know|recall|forget) (this|it|all this|everything|me|us|our talk|what we said) (tomorrow|next week|later|in another channel|after a restart|forever|in a year|in other channels|when I come back|for long)(|?)
(What|How) (does your memory look like|is your memory like|does your memory work|big is your context window|long is your context|many tokens do you remember|is your context window|happens when the conversation gets too long|happens when your memory is full)(|?)
""",
    "privacy": """
(Who|Which people|Can anyone|Can others|Can someone|Can the admin) (can |)(read|see|look at|look into|access|get) (this|our conversation|my messages|what I write|my data|our chat|what we say|these messages)(|?| else?| here?)
(Where|How|For how long) (is|are) (my data|my messages|this chat|our chats|this conversation|my words|our messages) (stored|saved|kept|hosted|processed|logged)(|?)
(Do|Will|Would|Can) you (sell|share|send|upload|give away|store|keep|publish|leak|save|log) (my data|my messages|this|our conversation|what I say|our chat|my secrets)(|?| anywhere?| to anyone?| to others?)
""",
    "model": """
(How|Where|What) (do I|can I|can we|do we|must I|should I|would I) (use|run|get|install|load|set up|switch to|change to|configure|choose|download|connect) (a real model|the real model|the real Llama|Llama 2|a bigger model|a better model|another model|the 7B model|a proper model|the full model|the chat model)(|?| instead?| here?| please?)
(What|How) (do I|must I|should I|can I) (do|change|set|configure) (to|so that I) (get|have|see) (real answers|better answers|the real model|smarter answers|proper answers|useful answers|a smarter bot)(|?)
(What|Which) (setting|variable|environment variable|option) (chooses|sets|selects|changes|is for|decides) (the model|which model runs|your model|the model you use)(|?)
""",
    "joke": """
(Can|Could|Would|Will) you (please |)(tell|make|crack|share|give) (me |us |)(a joke|another joke|some jokes|a funny joke|a pun|jokes|a quick joke|a llama joke|something funny)(|?| please?| now?)
(I|We) (want|would like|need|'d like|could use) (to hear |)(a joke|another joke|something funny|a good joke|a laugh|some humour)(|.|!| please| now)
(Do|Have) you (know|got|have|heard) (any |a |some |)(good |funny |new |)(joke|jokes|puns|one about llamas)(|?| for us?| for me?)
""",
    "how are you": """
(Hi|Hello|Hey|Good morning|Good evening|Evening|Morning|Hiya|Yo)(,|!|) (how are you doing|how's your day|how is your day going|how's life treating you|how are you today|how have you been|everything okay|are you well|all good|how do you feel today|how's everything|what's going on|what's cooking|how are we|are you alright|feeling good)(|?| Trinity?| {name}?)
(How|And how) (is|'s|was|has) (your day|your week|your weekend|your morning|your evening|life|it going|everything|your night|your day been|the day been|it all going|your mood) (going|so far|today|treating you|been|lately|then|with you|)(|?)
(Are|Is|Do|Did|Have) (you feeling well|you doing okay|everything alright|you feel good|you sleep well|you having a good day|you had a good day|all well|you in a good mood|things going well)(|?| today?)
""",
    "trinity project": """
2*(How|Where) (do I|can I|can we|do we|would I|could I|does one) (install|invite|add|host|set up|download|get|deploy|update|self-host|start|clone|find) (you|this bot|the bot|Trinity|your code|your repo|your source|it)(|?| on my server?| to my server?| here?| at home?| on my PC?| in Discord?)
(Can|Could|May) (I|we) (add|invite|install|host|copy|fork|use|have|get) (you|this bot|Trinity|the bot) (to my server|in my server|on my server|on another server|at home|for free|on my own machine|for my community)(|?)
(Do|Are) you (cost money|cost anything|free|free of charge|expensive|a paid bot|on GitHub|open)(|?)
(What|Who) is (this|that|the) (bot|project|program|thing|Discord bot|software|app) (called|about|for|doing here|good for|made for)(|?)
(Is|Are) (this|you|Trinity|this bot|the project|the code) (free|open source|free software|on GitHub|public|under the MIT licence|for sale|free to use)(|?)
""",
}
