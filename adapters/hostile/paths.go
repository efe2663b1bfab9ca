package hostile

// Spellings of "..", each of which some programs resolve.
var parents = []string{
	"..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "..;", "..;a=b", "..%3b", ".;.", "%2e%2e;", "%252e%252e", "%25252e%25252e", "..%00", "%00..", "..%20", "..%09", "..%0d", "...", ".. ",
	"%c0%ae%c0%ae", "%c0%2e%c0%2e", "%e0%80%ae%e0%80%ae", "%f0%80%80%ae.", "%u002e%u002e", "%uff0e%uff0e", "%ef%bc%8e%ef%bc%8e", "%e2%80%a5", "..%5c", "..%23", "..%3f", "%%32%65%%32%65", ".%00.",
}

// Spellings of "/".
var separators = []string{
	"/", "//", "/./", "%2f", "%2F", "%252f", "%5c", "\\", "/\\", "%c0%af", "%e0%80%af", "%c1%9c", "%u2215", "%ef%bc%8f", "%e2%88%95", ";/", "/;/", "/%2f",
}

// Insertions that some programs ignore, strip, or take for the end of a path.
var insertions = []string{
	";", ";a=b", ";jsessionid=1", ";.css", "%3b", "%3B.css", ".", "..", "%2e", "%20", "%09", "%0a", "%0d", "%0d%0a", "%00", "%00.css", "%0b", "%0c", "%7f", "%c2%85", "%c2%a0", "%e2%80%a8",
	"%ef%bb%bf", "%e2%80%8b", "%c2%ad", "~", "~1", "::$DATA", ":80", "%3a%3a$DATA", "#", "#a", "%23", "%23a", "%3f", "%3fa=b", "?", "??", "\\", "%5c", "%2f", "%2f.", "/", "//", "/.", "/..", "/./", "/%2e", "/;", "/..;/",
	"/%2e%2e/", "%25", "%252f", "%2500", "%", "%2", "%zz", "%u0000", "%c0%80", "%c0%af", "%ff", "%ed%a0%80", "\xff", "\x80", "\x00", "\x01", "\x0b", "\x7f", "\t", "'", "\"", "<", ">", "|", "^", "`", "{", "}", "[", "]", "*", "!", "$",
	"&", "&a=b", "(", ")", "+", ",", "=", "@", ".css", ".json", ".php", ".php/a.css", ".jsp", "/a.css", "/index.html", "%2ejson", ".%6ason",
}

func (c *corpus) paths() {
	for _, parent := range parents {
		for _, separator := range separators {
			c.get("ways out of a public folder", c.target("/<s>"+separator+parent+separator+"<p>/<id>"))
		}
		c.get("ways out of a public folder", c.target("/<s>/a/b/"+parent+"/"+parent+"/"+parent+"/<p>/<id>"))
		c.get("ways into a public folder", c.target("/<p>/<id>/"+parent+"/"+parent+"/<s>/<id>"))
		c.get("dot segments", c.target("/"+parent+"/<p>/<id>"))
		c.get("dot segments", c.target("/<p>/"+parent+"/<p>/<id>"))
		c.get("dot segments", c.target("/<p>/<id>/"+parent))
		c.get("dot segments", c.target("/<p>/x"+parent+"/<id>"))
	}
	for _, insertion := range insertions {
		c.get("insertions after an id", c.target("/<p>/<id>"+insertion))
		c.get("insertions before an id", c.target("/<p>/"+insertion+"<id>"))
		c.get("insertions in a folder", c.target("/<p>"+insertion+"/<id>"))
		c.get("insertions at the start", c.target("/"+insertion+"/<p>/<id>"))
		c.get("insertions in a public folder", c.target("/<s>/"+insertion+"/<id>"))
	}
	for _, separator := range separators {
		c.get("separators", c.target("/<p>"+separator+"<id>"))
		c.get("separators", c.target(separator+"<p>/<id>"))
		c.get("separators", c.target("/<p>/<id>"+separator))
		c.get("separators", c.target("/<s>/a"+separator+"<id>"))
	}
	for _, spelling := range []string{"/%75sers/<id>", "/%55sers/<id>", "/USERS/<id>", "/Users/<id>", "/user%73/<id>", "/u%73ers/<id>", "/<p>/%77kcase/<id>", "/%2575sers/<id>", "/u\u017fers/<id>", "/%75%73%65%72%73/<id>",
		"/%ef%bd%95sers/<id>", "/u%c5%bfers/<id>", "/<p>/<id>%41", "/<p>/<id>%c3%a9", "/<p>/<id>e%cc%81", "/<p>/<id>%F0%9F%98%80", "/%u0075sers/<id>", "/&#117;sers/<id>", "/\\u0075sers/<id>"} {
		c.get("spellings of letters", c.target(spelling))
	}
}

func (c *corpus) targets() {
	for _, target := range []string{
		"http://<host>/<p>/<id>", "http://<host>/<s>/../<p>/<id>", "HTTP://<host>/<p>/<id>", "https://<host>/<p>/<id>", "http://admin.example.org/<p>/<id>", "http://admin.example.org:80/<p>/<id>", "http://user@<host>/<p>/<id>",
		"http://user:pass@admin.example.org/<p>/<id>", "http://<host>@admin.example.org/<p>/<id>", "http://<host>", "http://<host>?a=<id>", "http:///<p>/<id>", "http:/<p>/<id>", "http:<p>/<id>", "http://[::1]/<p>/<id>",
		"http://[::1]:80/<p>/<id>", "http://[fe80::1%25eth0]/<p>/<id>", "http://<host>./<p>/<id>", "http://ADMIN.EXAMPLE.ORG/<p>/<id>", "http://<host>\\@admin.example.org/<p>/<id>", "http://<host>#@admin.example.org/<p>/<id>",
		"http://<host>/<p>/<id>#a", "ftp://<host>/<p>/<id>", "file:///<p>/<id>", "//<host>/<p>/<id>", "//admin.example.org/<p>/<id>", "///<p>/<id>", "\\\\<host>\\<p>\\<id>", "*", "/*", "*/<p>/<id>", "<p>/<id>", "./<p>/<id>", "../<p>/<id>",
		"?a=<id>", "#<id>", "@<host>/<p>/<id>", ":80/<p>/<id>", "<host>:80", "<host>/<p>/<id>", "", " ", "/", "/?<id>", "/ /<p>/<id>", "/<p>/<id> ", "/<p>/<id>\t", "/<p>/<id> HTTP/1.1", "/<s>/<id> /<p>/<id>", "/<s>/<id>\x00/../<p>/<id>",
		"/<s>/<id>%20HTTP/1.1%0d%0aX:%20/<p>/<id>", "unix:/run/x:/<p>/<id>", "http+unix://%2frun/<p>/<id>", "ws://<host>/<p>/<id>", "javascript:<id>",
	} {
		c.get("request targets", c.target(target))
	}
	for _, size := range []int{2000, 4090, 8000, 8192, 8300, 16000, 40000} {
		c.get("long targets", c.target("/<p>/<id>")+repeat("a", size))
		c.get("long targets", c.target("/<p>/<id>?a=")+repeat("a", size))
		c.get("long targets", c.target("/<s>/")+repeat("a/", size/2)+c.target("../<p>/<id>"))
		c.get("long targets", c.target("/<s>/")+repeat("../", size/3)+c.target("<p>/<id>"))
		c.get("long fields", c.view(), "X-Long: "+repeat("a", size))
	}
}

func (c *corpus) queries() {
	list := "/<p>?"
	for _, query := range []string{
		"location=<id>", "location=<id>&location=other", "location=other&location=<id>", "location=<id>&Location=other", "location=<id>&LOCATION=other", "location[]=<id>", "location=<id>&location[]=other", "location=<id>&location[0]=other",
		"location=<id>&location%5b%5d=other", "location=<id>;location=other", "a=b;location=<id>", "location=<id>%26location=other", "location=<id>%00", "location=<id>&l%6fcation=other", "location=<id>&%6cocation=other", "location=<id>&+location=other",
		"location=<id>&%20location=other", "location=<id>&location%20=other", "location=<id>&location%00=other", "location=<id>&.location=other", "location=<id>&[location=other", "location=<id>&location]=other", "location=<id>+x",
		"location=<id>%2bx", "location=<id>%20x", "location=<id>#&location=other", "location=<id>%23", "location=<id>?location=other", "location=<id>&?location=other", "?location=<id>", "&location=<id>", "&&location=<id>&&", "location==<id>", "location",
		"location=", "location=<id>&location", "location=<id>&location=", "location=%zz<id>", "location=%<id>", "location=<id>%", "location=<id>%c0%af", "location=<id>%ff", "location=<id>\xff", "location=<id>%0d%0aX-A:b", "location=<id>\x00", "location=<id>\t",
		"location=<id> x", "location=<id>%u0041", "location=<id>&locat%C4%B0on=other", "location=<id>&locatıon=other", "location={<id>}", "location=[\"<id>\"]", "location=\"<id>\"", "location='<id>'", "location=<id>,other", "location=<id>/../other",
		"_method=DELETE&location=<id>", "_METHOD=DELETE&location=<id>", "location=<id>&_method=PUT", "location=<id>&_method[]=PUT", "location=<id>&%5fmethod=PUT", "location=<id>&%5Fmethod=DELETE", "_method&location=<id>",
		"location=<id>&_method%00=PUT", "location=<id>&.method=PUT", "location=<id>&+_method=PUT", "location=<id>;_method=PUT", "location=<id>&[_method]=PUT", "location=<id>&method=DELETE", "location=<id>&x-http-method-override=DELETE",
	} {
		c.get("queries", c.target(list+query))
	}
	for _, field := range []string{"Content-Type: application/x-www-form-urlencoded", "Content-Type: multipart/form-data; boundary=b", "Content-Type: application/X-WWW-form-urlencoded;charset=utf-8"} {
		body := "location=other"
		c.post("forms beside a query", c.target(list+"location=<id>"), body, field, "Content-Length: "+length(body))
		c.post("forms beside a query", c.target(list+"location=<id>"), "e\r\n"+body+"\r\n0\r\n\r\n", field, "Transfer-Encoding: chunked")
	}
}
