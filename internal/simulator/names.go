package simulator

// company is the plan of one invented tenant.
type company struct {
	name       string
	country    string
	signInLog  bool
	vpn        bool
	automation bool
}

// companies are invented; they grow from 8 to 60 accounts in this order.
var companies = []company{
	{name: "Harbourlight Dental", country: "US", signInLog: true},
	{name: "Veldkamp Tegelhandel", country: "NL"},
	{name: "Brackenridge Surveyors", country: "GB", signInLog: true, vpn: true},
	{name: "Wattlebird Logistics", country: "AU", signInLog: true},
	{name: "Lindenhof Maschinenbau", country: "DE", automation: true},
	{name: "Maison Corvaline", country: "FR", signInLog: true, automation: true},
}

var firstNames = []string{
	"Ada", "Alma", "Amir", "Anouk", "Bea", "Bram", "Carla", "Chidi", "Clara", "Dario", "Dewi", "Elif", "Emil", "Esme",
	"Farah", "Finn", "Freya", "Gita", "Hana", "Hugo", "Ines", "Ivo", "Jana", "Joris", "Kai", "Keiko", "Lars", "Leila",
	"Luca", "Maja", "Malik", "Mara", "Milan", "Nadia", "Nils", "Noor", "Olga", "Omar", "Petra", "Priya", "Quinn",
	"Rafael", "Rosa", "Sanne", "Selma", "Silas", "Tara", "Theo", "Uma", "Vera", "Wim", "Yara", "Yusuf", "Zoe",
}

var lastNames = []string{
	"Abbas", "Aldous", "Baptiste", "Becker", "Birch", "Brandt", "Castell", "Chen", "Coster", "Dahl", "Deforest", "Dijk",
	"Eriks", "Farrow", "Ferrand", "Gallo", "Granger", "Haddad", "Hartog", "Hollis", "Ibarra", "Iyer", "Jansma", "Keane",
	"Kessler", "Kovac", "Lambert", "Lindqvist", "Marsh", "Mensah", "Moreau", "Nakamura", "Novak", "Okafor", "Oster",
	"Pellegrin", "Quist", "Rademaker", "Reyes", "Sandoval", "Schuurman", "Silva", "Tanaka", "Thorne", "Ueda", "Vance",
	"Vogel", "Whitlock", "Wolff", "Yilmaz", "Zeller",
}

var subjects = []string{
	"Minutes of Monday", "Re: quotation 4471", "Rota for next week", "Delivery Thursday", "Invoice 20488 attached",
	"Re: holiday request", "Site visit photos", "Draft contract, second round", "Lunch?", "Stock count", "Re: invoice 20391",
	"New starter on the 1st", "Timesheets please", "Parking at the office", "Re: Re: offer for the roof", "Budget Q3",
}

var files = []string{
	"Price list.xlsx", "Rota.xlsx", "Contract draft.docx", "Meeting notes.docx", "Floor plan.pdf", "Stock count.xlsx",
	"Offer 4471.docx", "Photos.zip", "Handbook.pdf", "Budget.xlsx", "Delivery note.pdf", "Presentation.pptx",
}

// signInApps are third-party applications that ask for no more than who the person is.
var signInApps = []string{"Canvasboard", "Shiftplanner", "Quillsign", "Roomfinder", "Surveydesk"}
