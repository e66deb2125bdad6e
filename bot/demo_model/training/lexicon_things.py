"""Things, properties and deeds, as word lists: values to copy and material for small sentences."""

from bot.demo_model.training.grammar import word_list

COLOURS = word_list("""red|blue|green|yellow|orange|purple|pink|brown|black|white|grey|gray|teal|navy|turquoise|maroon
crimson|scarlet|magenta|cyan|violet|indigo|lavender|lilac|mauve|beige|ivory|cream|gold|silver|bronze
copper|amber|olive|lime|mint|emerald|jade|aqua|azure|cobalt|sapphire|ruby|coral|salmon|peach|apricot
burgundy|plum|fuchsia|ochre|rust|tan|khaki|charcoal|slate|mustard|vermilion""")

FOODS = word_list("""pizza|pasta|sushi|ramen|tacos|curry|lasagna|risotto|paella|pancakes|waffles|porridge|bread|cheese|chocolate|ice cream
apple pie|cheesecake|tiramisu|brownies|salad|soup|steak|burgers|fries|fish and chips|dumplings|noodles|rice|falafel|hummus|kebab
goulash|pierogi|bibimbap|kimchi|pho|pad thai|couscous|tofu|omelette|bacon|sausages|strawberries|mango|bananas|cherries|grapes
watermelon|pineapple|blueberries|raspberries|figs|olives|avocado|popcorn|pretzels|croissants|bagels|muffins|donuts|gnocchi|tea
coffee|green tea|lemonade|orange juice|hot chocolate|water|milk|cider|espresso|cappuccino|cola|apple juice|oat milk""")

HOBBIES = word_list("""chess|knitting|painting|hiking|cycling|running|swimming|climbing|cooking|baking|gardening|fishing|sailing|surfing
skiing|skating|dancing|singing|reading|writing|drawing|photography|pottery|origami|birdwatching|astronomy|archery|fencing|judo
karate|yoga|tennis|football|basketball|volleyball|rugby|cricket|golf|bowling|darts|poker|go|sudoku|crosswords|jigsaw puzzles
board games|video games|model trains|kite flying|woodworking|sewing|embroidery|calligraphy|juggling|magic tricks|geocaching
stamp collecting|playing the piano|playing guitar|learning languages|programming|robotics|camping|horse riding|table tennis""")

FAVOURITES = word_list("""colour|color|food|drink|animal|movie|film|book|song|band|singer|game|video game|board game|card game|sport|team
football team|season|month|day|day of the week|number|city|country|place|word|letter|fruit|vegetable|flower|tree|bird|fish|dish
meal|dessert|cake|snack|ice cream|ice cream flavour|ice cream flavor|pizza|pizza topping|sandwich|soup|cheese|bread|spice|herb|sauce
sweet|chocolate|tea|coffee|juice|soda|beer|wine|cocktail|restaurant|cafe|bar|shop|hobby|subject|school subject|teacher|author
writer|poet|poem|novel|comic|superhero|villain|cartoon|anime|manga|show|TV show|series|tv series|actor|actress|director|character
podcast|channel|youtuber|streamer|musician|composer|album|genre|music genre|instrument|kind of music|artist|painter|painting|museum
language|programming language|editor|text editor|operating system|browser|app|website|emoji|font|keyboard|console|phone|car|bike
motorbike|train|plane|planet|star|constellation|dinosaur|dog breed|cat breed|insect|sea creature|pokemon|toy|doll|puzzle|sport to watch
exercise|dance|holiday|vacation spot|beach|mountain|river|lake|island|park|street|building|bridge|room|chair|shirt|pair of shoes|hat
dress|smell|sound|texture|shape|metal|gemstone|stone|element|weather|time of day|season of the year|joke|quote|saying|proverb|myth
god|king|queen|president|scientist|philosopher|mathematician|theorem|equation|chess opening|chess piece|athlete|player|football player
goalkeeper|wrestler|driver|race|track|stadium|ride|theme park|festival|breakfast|lunch|dinner|takeaway|curry|pasta shape|noodle|nut
berry|salad|biscuit|cookie|candy|crisps|jam|topping|seasoning|plant|cactus|mushroom|monster|dragon|fairy tale|story|magazine
newspaper|blog|brand|perfume|shade of blue|toothpaste|pen|pencil|notebook|tool|machine|robot|spaceship|tank|ship|boat|war movie
horror film|romcom|musical|opera|play|ballet|symphony|sonata|hymn|carol|christmas song|school|university|library|uncle|cousin|nickname""")

PROPERTIES = word_list("""birthday|lucky number|hometown|home town|shoe size|surname|last name|middle name|first name|star sign|zodiac sign|email
email address|phone number|address|postcode|zip code|blood type|nationality|dream job|dream car|dream holiday|eye colour|eye color
hair colour|hair color|height|weight|school|university|college|major|degree|native language|mother tongue|first language|gamertag
username|user name|handle|clan|guild|main character|secret word|safe word|password|wifi password|pin|pin code|locker code|code word
codeword|access code|room number|seat number|flight number|order number|ticket number|student number|license plate|car|bike|phone
laptop|computer|keyboard|operating system|time zone|timezone|team|football team|band|company|employer|department|project|project name
startup|thesis topic|research topic|instrument|religion|diet|allergy|middle initial|initials|pronouns|anniversary|wedding day|due date
deadline|exam date|appointment|dentist appointment|train|gate|hotel|hotel room|destination|travel destination|next stop|spirit animal
hogwarts house|character class|character name|server|server name|database|branch|ticket id|budget|goal|target|motto|hero|role model
idol|crush|nemesis|stage name|pen name|maiden name|street|house number|floor|desk|badge number|account number|customer number
coffee order|usual order|t-shirt size|shirt size|ring size|personal best|high score|rank|level|elo|rating""")

THINGS = word_list("""bicycle|letter|window|garden|river|mountain|lamp|kettle|train|suitcase|umbrella|piano|guitar|camera|bridge|castle|island
forest|desert|ocean|rocket|planet|robot|computer|keyboard|printer|phone|table|chair|sofa|mirror|clock|candle|basket|bottle|bucket
ladder|hammer|screwdriver|engine|wheel|tyre|boat|ship|plane|helicopter|tractor|scooter|ticket|map|compass|telescope|microscope|book
newspaper|magazine|poem|novel|story|song|movie|painting|statue|museum|library|school|hospital|station|airport|market|shop|bakery
restaurant|kitchen|bathroom|bedroom|garage|roof|wall|door|fence|gate|path|road|street|city|village|country|border|weather|storm
cloud|rain|snow|wind|sun|moon|star|sky|fire|smoke|stone|sand|tree|leaf|flower|grass|apple|orange|banana|potato|tomato|carrot|onion
bread|cheese|butter|soup|cake|pie|tea|coffee|dog|cat|horse|cow|sheep|goat|pig|bird|eagle|owl|duck|fish|shark|whale|dolphin|frog|snake
spider|bee|ant|butterfly|king|queen|prince|wizard|dragon|ghost|monster|pirate|knight|soldier|teacher|doctor|nurse|lawyer|farmer
baker|singer|dancer|actor|painter|writer|name|colour|number|word|question|answer|meeting|party|holiday|wedding|exam|homework|project
game|match|race|team|player|coach|budget|salary|price|bill|bank|tax|law|election|war|peace|history|music|art|science|physics
chemistry|biology|maths|poetry|philosophy|religion|money|time|love|friendship|sleep|dream|server|database|bug|test|code|function
website|password|virus|battery|cable|screen|speaker|headphones|jacket|shirt|shoe|hat|sock|ring|necklace|box|bag|key|coin|knife|fork
spoon|plate|cup|blanket|pillow|carpet|curtain|soap|towel|toothbrush|bus|taxi|tram|sandwich|pizza|noodle""")

ADJECTIVES = word_list("""tired|hungry|happy|sad|bored|angry|sleepy|busy|sick|cold|hot|thirsty|late|early|ready|sorry
confused|lost|curious|excited|nervous|afraid|scared|lonely|proud|jealous|drunk|sober|free|alone|awake
alive|dead|fine|okay|good|great|bad|terrible|awful|better|worse|well|ill|new|old|young|tall|short
big|small|long|wide|thin|fat|heavy|light|dark|bright|loud|quiet|fast|slow|hard|soft|easy|difficult
strange|weird|funny|silly|serious|boring|interesting|beautiful|ugly|pretty|cute|nice|lovely|kind|mean
rude|polite|clever|smart|stupid|dull|sharp|clean|dirty|dry|wet|empty|full|open|closed|broken|cheap
expensive|rich|poor|famous|unknown|common|rare|weak|strong|brave|calm|crazy|lazy|careful|careless
honest|fair|cruel|gentle|wild|tame|fresh|rotten|sweet|sour|salty|bitter|spicy|warm|cool|frozen
rusty|shiny|smooth|rough|round|square|flat|steep|deep|shallow|high|low|near|far|left|right|wrong
true|false|real|fake|modern|ancient|perfect|amazing|wonderful|fantastic|horrible|useless|useful
possible|impossible|certain|unsure|sure|glad|upset|worried|stressed|exhausted|annoyed|surprised|shocked
impressed|disappointed|grateful|thankful|hopeful|hopeless|asleep|dizzy|clumsy|hungover|allergic|stuck
done|finished|back|home|outside|inside|here|there|online|offline|away|abroad|drowsy|furious|cheerful
gloomy|grumpy|puzzled|delighted|thrilled|embarrassed|ashamed|guilty|innocent|homesick|seasick|restless
relaxed""")

VERBS = word_list("""saw|found|bought|sold|broke|fixed|lost|made|painted|cleaned|opened|closed|moved|carried|dropped|threw|caught|hid|stole
borrowed|built|drew|cooked|ate|washed|watched|heard|read|wrote|sent|forgot|remembered|liked|loved|hated|needed|wanted|missed
visited|followed|called|helped|taught|tried|changed|counted|cut|burned|filled|pushed|pulled|turned|touched|chose|ordered|cancelled""")

INTRANSITIVES = word_list("""slept|ran away|fell asleep|woke up|went home|came back|got lost|sang|danced|laughed|cried|shouted|waited|jumped
disappeared|exploded|melted|froze|grew|arrived|left|won|failed|collapsed|stopped|started again|went quiet|got worse|got better""")

VALUE_WORDS = word_list("""time|year|people|way|day|thing|world|life|hand|part|child|eye|woman|place|work|week|case|point
government|company|number|group|problem|fact
light
water|fire|earth|metal|wood|storm|cloud|river|ocean|forest|mountain|garden|window|bridge|candle
mirror|shadow|whisper|thunder|lightning|winter|summer|autumn|spring|morning|evening|midnight|sunrise
sunset|dragon|phoenix|griffin|unicorn|tiger|lion|panther|eagle|falcon|raven|wolf|bear|fox|otter
badger|penguin|dolphin|whale|octopus|lobster|spider|rocket|comet|galaxy|nebula|orbit|planet|saturn
jupiter|mercury|venus|mars|pluto|neptune|crystal|diamond|marble|granite|velvet|silk|cotton|leather
paper|copper|silver|golden|iron|steel|bronze|purple|scarlet|emerald|electric|magnetic|digital|quantum
atomic|cosmic|lunar|solar|apple|banana|cherry|lemon|melon|pepper|tomato|carrot|potato|onion|garlic
ginger|cinnamon|vanilla|honey|sugar|butter|cheese|bread|castle|tower|palace|temple|market|harbour
island|village|station|airport|museum|theatre|library|school|office|kitchen|pirate|wizard|knight
soldier|captain|doctor|painter|dancer|singer|hunter|sailor|traveller|stranger|hero|legend|mystery
secret|riddle|puzzle|treasure|adventure|journey|voyage|quest|battle|victory|freedom|justice|courage
wisdom|patience|silence|harmony|rhythm|melody|symphony|guitar|piano|violin|trumpet|drum|flute|chess
poker|football|tennis|hockey|rugby|cricket|marathon|sprint|yoga|coffee|cocoa|juice|square|circle
triangle|hexagon|spiral|zero|alpha|beta|gamma|delta|omega|sigma|matrix|vector|python|kernel|engine
server|socket|cursor|pixel|banjo""")

VEHICLES = word_list("""Volvo|BMW|Toyota|Ford|Honda|Fiat|Renault|Peugeot|Skoda|Audi|Mercedes|Mazda|Subaru|Tesla|Mini|Jeep|Nissan|Seat|Opel|Porsche
Vespa|Harley|Yamaha|Kawasaki|Ducati|Lada|Trabant|Beetle|van|truck|pickup|motorbike|scooter|bicycle|tractor|camper van|bus|moped|hatchback|convertible""")

INSTRUMENTS = word_list("""the piano|the guitar|the violin|the drums|the flute|the trumpet|the saxophone|the harp|the clarinet|the viola|the banjo|the ukulele
the accordion|the oboe|the tuba|the trombone|the double bass|the bagpipes|the organ|piano|guitar|violin|bass|drums|keyboard|the harmonica|the mandolin""")

SUBJECTS = word_list("""physics|chemistry|biology|history|law|medicine|computer science|economics|philosophy|mathematics|maths|geography|linguistics|music
art|architecture|engineering|mechanical engineering|psychology|sociology|politics|theology|astronomy|geology|archaeology|literature|English literature|drama
journalism|nursing|pharmacy|statistics|botany|zoology|education|business|accounting|design|film|dance|agriculture|forestry|oceanography""")

PLURALS = word_list("""spiders|snakes|wasps|mosquitoes|rats|clowns|heights|Mondays|winter|summer|rain|traffic|queues|alarm clocks|meetings|horror films|loud music
crowds|flying|homework|exams|dentists|needles|thunder|cold weather|hot weather|small talk|spam|adverts|mushrooms|onions|garlic|coriander|cilantro|broccoli|spinach
brussels sprouts|liver|anchovies|peanuts|nuts|milk|eggs|gluten|wheat|soy|shrimp|cats|dogs|pollen|dust|bees|penicillin|latex|celery|sesame|cabbage|beetroot|liquorice""")

NATIONALITIES = word_list("""German|French|British|English|Scottish|Welsh|Irish|Spanish|Italian|Portuguese|Dutch|Belgian|Swiss|Austrian|Polish|Czech|Slovak|Hungarian
Romanian|Bulgarian|Greek|Turkish|Russian|Ukrainian|Swedish|Norwegian|Danish|Finnish|Icelandic|American|Canadian|Mexican|Brazilian|Argentinian|Chilean|Peruvian
Colombian|Australian|Indian|Pakistani|Chinese|Japanese|Korean|Vietnamese|Thai|Indonesian|Egyptian|Moroccan|Nigerian|Kenyan|Ethiopian|Israeli|Lebanese|Iranian""")
