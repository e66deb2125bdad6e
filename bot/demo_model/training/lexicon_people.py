"""Names, places, trades and tongues, as word lists."""

from bot.demo_model.training.grammar import word_list

FIRST_NAMES = word_list("""Alice|Bob|Carol|Dave|Eve|Frank|Grace|Heidi|Ivan|Judy|Mallory|Oscar|Peggy|Sybil|Trent|Victor|Walter
Anna|Ben|Clara|David|Emma|Felix|Gina|Henry|Ida|Jack|Kate|Liam|Mia|Noah|Olivia|Paul|Quinn|Rosa|Sam
Tom|Uma|Vera|Will|Xena|Yara|Zoe|Adam|Bella|Carlos|Diana|Elena|Fiona|George|Hannah|Isaac|Julia
Kevin|Laura|Marco|Nina|Otto|Petra|Ralph|Sara|Tina|Ursula|Vincent|Wendy|Xavier|Yvonne|Zack|Aisha
Boris|Chloe|Dmitri|Esther|Fatima|Gustav|Hiro|Ingrid|Jamal|Keiko|Lars|Mei|Nadia|Omar|Priya|Qasim
Ravi|Sven|Tariq|Ulrich|Vijay|Wanda|Yusuf|Zainab|Aaron|Beth|Caleb|Daisy|Ethan|Faith|Gavin|Hazel|Ian
Jane|Kyle|Lily|Mason|Nora|Owen|Piper|Reed|Stella|Theo|Violet|Wyatt|Alex|Jordan|Taylor|Casey|Riley
Morgan|Jamie|Avery|Charlie|Max|Leo|Ruby|Finn|Ella|Hugo|Ivy|Jonas|Lena|Maya|Nico|Pia|Rex|Sofia
Tess|Vito|Amir|Bianca|Cedric|Dora|Elias|Freya|Gwen|Hamza|Iris|Jonah|Kira|Luca|Marta|Nils|Opal
Pablo|Rita|Simon|Thea|Umar|Vlad|Wes|Yuki|Zeke|Abigail|Benjamin|Christopher|Dominic|Elizabeth
Francesca|Gabriel|Harriet|Isabella|Jonathan|Katherine|Leonardo|Matthew|Nicholas|Ophelia|Patrick|Rebecca
Sebastian|Theodore|Valentina|William|Alexander|Josephine|Maximilian|Philippa|Thaddeus|Bartholomew|Ambrose
Cordelia|Desmond|Euphemia|Ferdinand|Gertrude|Humphrey|Imogen|Jasper|Kaspar|Lavinia|Mortimer|Nigel
Octavia|Percival|Rosalind|Sigrid|Tobias|Winifred|Yolanda|Zachary|Anouk|Bjorn|Camille|Dafydd|Eilidh
Fleur|Giulia|Haruki|Ines|Joaquin|Katya|Lucia|Mateo|Niamh|Oisin|Paloma|Rosalie|Siobhan|Thibault
Wojciech|Xiomara|Yannick|Zofia|Steve|Mike|John|Mary|Peter|Susan|Linda|James|Robert|Michael|Karen
Nancy|Lisa|Betty|Helen|Sandra|Donna|Ruth|Sharon|Brian|Edward|Ronald|Tim|Jason|Jeff|Ryan|Jacob|Gary
Eric|Stephen|Larry|Justin|Scott|Brandon|Greg|Alan|Ada|Grace|Linus|Edgar|Toby|Molly|Luna|Milo|Coco
Rocky|Bailey|Buddy|Oreo|Shadow|Ginger|Pepper|Simba|Nala|Cleo|Jasmine|Willow""")

SURNAMES = word_list("""Smith|Jones|Brown|Taylor|Wilson|Davies|Evans|Thomas|Johnson|Roberts|Walker|Wright|Robinson|Thompson
White|Hughes|Edwards|Green|Hall|Wood|Harris|Lewis|Martin|Jackson|Clarke|Clark|Turner|Hill|Scott
Cooper|Morris|Ward|Moore|King|Watson|Baker|Harrison|Morgan|Patel|Young|Allen|Mitchell|Khan|Singh
Garcia|Lopez|Nguyen|Kim|Chen|Wang|Muller|Schmidt|Rossi|Silva|Novak|Ivanov|Tanaka|Suzuki|Larsen
Kowalski|Dubois|Moreau|Okafor|Mensah|Haddad|Cohen|Murphy|OBrien|Stone|Rivers|Frost|Winter|Knight|Fox""")

CITIES = word_list("""Paris|London|Berlin|Madrid|Rome|Lisbon|Vienna|Prague|Warsaw|Athens|Dublin|Oslo|Stockholm|Helsinki|Copenhagen|Brussels
Amsterdam|Zurich|Geneva|Munich|Hamburg|Cologne|Lyon|Nice|Marseille|Milan|Naples|Turin|Florence|Venice|Barcelona|Seville|Valencia
Porto|Budapest|Bucharest|Sofia|Belgrade|Zagreb|Ljubljana|Tallinn|Riga|Vilnius|Kyiv|Moscow|Istanbul|Ankara|Cairo|Lagos|Nairobi
Accra|Cape Town|Johannesburg|Casablanca|Tunis|Dakar|Addis Ababa|Tel Aviv|Beirut|Dubai|Doha|Tehran|Baghdad|Karachi|Lahore
Delhi|Mumbai|Bangalore|Chennai|Kolkata|Dhaka|Kathmandu|Colombo|Bangkok|Hanoi|Jakarta|Manila|Singapore|Kuala Lumpur|Hong Kong
Taipei|Shanghai|Beijing|Shenzhen|Seoul|Busan|Tokyo|Osaka|Kyoto|Sapporo|Sydney|Melbourne|Brisbane|Perth|Adelaide|Auckland
Wellington|Honolulu|Los Angeles|San Francisco|San Diego|Seattle|Portland|Denver|Phoenix|Dallas|Houston|Austin|Chicago|Detroit
Boston|New York|Philadelphia|Baltimore|Washington|Atlanta|Miami|Orlando|New Orleans|Nashville|Memphis|Toronto|Montreal
Vancouver|Calgary|Ottawa|Quebec|Mexico City|Havana|Bogota|Lima|Quito|Santiago|Buenos Aires|Montevideo|Rio de Janeiro|Recife
Sao Paulo|Caracas|Reykjavik|Edinburgh|Glasgow|Cardiff|Belfast|Leeds|Manchester|Liverpool|Bristol|York|Oxford|Cambridge|Bath|Brighton
Norwich|Exeter|Bergen|Malmo|Gothenburg|Aarhus|Ghent|Bruges|Utrecht|Rotterdam|Leipzig|Dresden|Bonn|Bremen|Salzburg|Graz|Basel|Bern
Krakow|Gdansk|Brno|Bratislava|Granada|Bilbao|Palermo|Bologna|Verona|Pisa|Toulouse|Bordeaux|Lille|Nantes|Strasbourg|Canada|Japan
Brazil|Kenya|Norway|Spain|Italy|France|Germany|Poland|Portugal|Greece|India|China|Australia|New Zealand|Scotland|Wales|Ireland
Texas|California|Ohio|Florida|Alaska|Finland|Sweden|Denmark|Austria|Turkey|Egypt|Mexico|Peru|Chile|Argentina""")

JOBS = word_list("""teacher|nurse|doctor|engineer|baker|plumber|carpenter|pilot|chef|lawyer|farmer|writer|painter|student|programmer
librarian|mechanic|dentist|journalist|photographer|musician|actor|dancer|architect|electrician|gardener|waiter|cook|barber
tailor|judge|scientist|chemist|biologist|physicist|translator|accountant|florist|firefighter|police officer|paramedic
software developer|web designer|data scientist|game designer|product manager|truck driver|bus driver|postman|vet|pharmacist
surgeon|social worker|sound engineer|marine biologist|beekeeper|blacksmith|bookbinder|butcher|brewer|cartographer|clockmaker
composer|conductor|curator|detective|diver|diplomat|economist|editor|fisherman|geologist|glassblower|goldsmith|hairdresser
historian|illustrator|jeweller|lifeguard|locksmith|magician|mason|midwife|miner|model|mountain guide|novelist|optician|poet
potter|printer|professor|psychologist|referee|sailor|sculptor|shepherd|singer|stonemason|surveyor|tattoo artist|tour guide
tutor|welder|yoga teacher|zookeeper|sysadmin|research assistant|security guard|receptionist|cashier|taxi driver""")

LANGUAGES = word_list("""English|French|German|Spanish|Italian|Portuguese|Dutch|Swedish|Norwegian|Danish|Finnish|Polish|Czech
Greek|Turkish|Arabic|Hebrew|Persian|Hindi|Urdu|Bengali|Tamil|Thai|Vietnamese|Korean|Japanese|Mandarin
Cantonese|Russian|Ukrainian|Swahili|Yoruba|Welsh|Irish|Basque|Catalan|Latin|Esperanto|Icelandic
Hungarian|Romanian""")

RELATIVES = word_list("""brother|sister|mother|father|mum|mom|dad|wife|husband|son|daughter|cousin|uncle|aunt|grandma|grandpa
grandmother|grandfather|nephew|niece|boss|boyfriend|girlfriend|roommate|neighbour|neighbor|teacher
partner|flatmate|friend|twin|stepbrother|stepsister|godmother|fiance|mentor|colleague|manager|coach
landlord|baby|best friend|little brother|big sister|older brother|younger sister|mother-in-law|study buddy
dance partner""")


PETS = word_list("""dog|cat|hamster|parrot|rabbit|goldfish|turtle|horse|pony|snake|lizard|guinea pig|ferret|budgie|canary|gecko|hedgehog
mouse|rat|tortoise|kitten|puppy|bunny|iguana|cockatoo|chicken|duck|goat|donkey|llama|alpaca|tarantula|axolotl|chinchilla|frog|fish
pig|cow|sheep|goose|pigeon|falcon|spider|bird|corgi|poodle|beagle|labrador|terrier|dachshund""")
