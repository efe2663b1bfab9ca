package sampledata

import (
	"strings"
)

// The words of generated names. Changing a list changes every generated directory, also for the same seed.
var (
	givenNames = []string{
		"Alice", "Amir", "Ana", "Anja", "Beatriz", "Björn", "Carlos", "Chloé", "Daniel", "Dmitri", "Elena", "Emma", "Fatima",
		"Felix", "Grace", "Hannah", "Hiroshi", "Ingrid", "Isabel", "Ivan", "Jamal", "Jane", "João", "Jürgen", "Kwame", "Lars",
		"Leïla", "Li", "Lucía", "Maria", "Márta", "Mei", "Mohammed", "Nadia", "Noah", "Nuria", "Olga", "Omar", "Paweł", "Priya",
		"Rachel", "René", "Samuel", "Siobhán", "Sofia", "Søren", "Tariq", "Thomas", "Yuki", "Zoë", "Ελένη", "Νίκος", "Наталья",
		"Сергей", "さくら", "伟",
	}
	familyNames = []string{
		"Adeyemi", "Almeida", "Andersson", "Bauer", "Becker", "Brown", "Castillo", "Chen", "Çelik", "Cohen", "Dubois", "Eriksen",
		"Fernández", "Fischer", "García", "González", "Gupta", "Haddad", "Hansen", "Hernández", "Horváth", "Ivanov", "Jensen",
		"Johnson", "Kamau", "Kaya", "Khan", "Kim", "Kowalski", "Lefèvre", "Lindqvist", "Łukasik", "Martin", "Mensah", "Miller",
		"Müller", "Nakamura", "Nguyen", "Novák", "O'Brien", "Okafor", "Park", "Petrov", "Ramírez", "Rossi", "Sánchez", "Sato",
		"Schäfer", "Silva", "Singh", "Smith", "Tanaka", "Thompson", "van Dijk", "Weiß", "Williams", "Yılmaz", "Παππάς", "Смирнова",
		"山田", "王",
	}
	titles      = []string{"Dr.", "Dr.", "Prof.", "Prof. Dr.", "Mr.", "Ms.", "RN"}
	professions = []string{"dentist", "dermatologist", "physician", "midwife", "nurse", "optometrist", "physiotherapist", "psychologist"}
	mailHosts   = []string{"example.org", "example.com", "example.net", "example.edu"}

	placeNames = []string{
		"Ashford", "Bellevue", "Birchwood", "Cedar Park", "Clearwater", "Eastgate", "Elm Street", "Fairview", "Glenwood", "Greenfield",
		"Harbor", "Hillcrest", "Île Verte", "Kingsbridge", "Königstein", "Lakeside", "Lindenhof", "Łąka", "Maple Grove", "Meadow",
		"Mill Lane", "Montréal-Nord", "Northfield", "Oak Valley", "Örby", "Pine Ridge", "Queens", "Riverside", "Rosewood", "San José",
		"Silver Creek", "Southgate", "St. Anne's", "St. Mary's", "Summit", "Três Rios", "Union", "Westbrook", "Willow", "Zürich West",
	}
	facilityTypes = []string{"Hospital", "Medical Center", "Clinic", "General Hospital", "Children's Hospital", "Urgent Care"}
	specialties   = []string{"Dental", "Dermatology", "Eye Care", "Family Medicine", "Midwives", "Physiotherapy", "Psychology"}
)

// plainLetters replaces Latin letters with diacritics by plain ones, as is usual in usernames. Other scripts are kept.
var plainLetters = strings.NewReplacer(
	"á", "a", "ã", "a", "ä", "ae", "ç", "c", "é", "e", "è", "e", "ë", "e", "í", "i", "ï", "i", "ı", "i", "ł", "l", "ñ", "n", "ó", "o",
	"ö", "oe", "ø", "oe", "ú", "u", "ü", "ue", "ß", "ss", " ", "", "'", "",
)
