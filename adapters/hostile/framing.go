package hostile

import "fmt"

// Values of Transfer-Encoding that some programs take for chunked and others do not.
var encodings = []string{
	"chunked", "Chunked", "CHUNKED", " chunked", "\tchunked", "\x0bchunked", "\x0cchunked", "chunked\x0b", "chunked\x00", "\x00chunked", "chunked ", "chunked\t", "xchunked", "chunkedx", "chunked;a=b", "chunked, identity", "identity, chunked", "identity", "chunked, chunked",
	"chunked,", ",chunked", "gzip, chunked", "chunked, gzip", "gzip", "cow", "cow, chunked", "\"chunked\"", "'chunked'", "chunk", "chunked\r\n , identity", "\r\n chunked", "identity\r\n chunked", "", " ", "chunked\rX: y", "chun\u212aed", "{chunked}", "[chunked]", "x, y, chunked", "trailers, chunked", "deflate, identity, chunked",
}

// Names that some programs take for that of a framing field.
var framingNames = []string{
	"Transfer-Encoding ", "Transfer-Encoding\t", " Transfer-Encoding", "Transfer_Encoding", "Transfer.Encoding", "Transfer-Encoding\x00", "X: y\nTransfer-Encoding", "X: y\rTransfer-Encoding", "transfer-encoding", "Transfer-Encodin\u0261", "Transfer Encoding", "X: y\r\n Transfer-Encoding", "TRANSFER-ENCODING", "Transfer-Encoding:", "\x0bTransfer-Encoding",
}

// hidden returns the beginning of a request that is hidden in a body. The application must not get it.
func (c *corpus) hidden() string {
	return "GET " + c.target("/<p>/<id>?hidden") + " HTTP/1.1\r\nHost: " + c.site.Host + "\r\nX-Wardkeeper-Subject: mallory\r\nX: "
}

func (c *corpus) framing() {
	for _, target := range []string{"/<p>/<id>/notes", "/<s>/<id>"} {
		for _, encoding := range encodings {
			chunked := "0\r\n\r\n" + c.hidden()
			c.post("two framings", c.target(target), chunked, "Transfer-Encoding: "+encoding, "Content-Length: "+length(chunked))
			c.post("two framings", c.target(target), chunked, "Content-Length: 5", "Transfer-Encoding: "+encoding)
			c.post("transfer codings", c.target(target), "5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: "+encoding)
			c.post("transfer codings", c.target(target), "5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: "+encoding, "Transfer-Encoding: identity")
		}
		for _, name := range framingNames {
			chunked := "0\r\n\r\n" + c.hidden()
			c.post("names of framing", c.target(target), chunked, "Content-Length: "+length(chunked), name+": chunked")
			c.post("names of framing", c.target(target), chunked, name+": chunked")
		}
		inner := c.hidden()
		size := fmt.Sprintf("%x", len(inner))
		for _, body := range []string{
			size + ";a=b\r\n" + inner + "\r\n0\r\n\r\n", size + ";\r\n" + inner + "\r\n0\r\n\r\n", size + ";a=\"b\r\n" + inner + "\r\n0\r\n\r\n", size + " ;a\r\n" + inner + "\r\n0\r\n\r\n", size + ";\n" + inner + "\r\n0\r\n\r\n", size + ";a\n" + inner + "\r\n0\r\n\r\n",
			size + "\n" + inner + "\r\n0\r\n\r\n", size + "\r" + inner + "\r\n0\r\n\r\n", size + "\r\n" + inner + "\n0\r\n\r\n", size + "\r\n" + inner + "\r\n0\n\n", size + "\r\n" + inner + "\r\n0\r\n\n", size + "\r\n" + inner + "\r\n0\n\r\n", "0x" + size + "\r\n" + inner + "\r\n0\r\n\r\n",
			"+" + size + "\r\n" + inner + "\r\n0\r\n\r\n", "-" + size + "\r\n" + inner + "\r\n0\r\n\r\n", " " + size + "\r\n" + inner + "\r\n0\r\n\r\n", size + " \r\n" + inner + "\r\n0\r\n\r\n", size + "\t\r\n" + inner + "\r\n0\r\n\r\n", "000000000000000000" + size + "\r\n" + inner + "\r\n0\r\n\r\n",
			size + "h\r\n" + inner + "\r\n0\r\n\r\n", size + "_0\r\n" + inner + "\r\n0\r\n\r\n", "\r\n" + size + "\r\n" + inner + "\r\n0\r\n\r\n", "ffffffffffffffff\r\n" + inner + "\r\n0\r\n\r\n", "10000000000000002\r\nab\r\n0\r\n\r\n" + inner, "80000000\r\n" + inner, "2\r\nabXX" + size + "\r\n" + inner + "\r\n0\r\n\r\n",
			"2\r\nabc\r\n0\r\n\r\n" + inner, "0\r\nX-Wardkeeper-Subject: mallory\r\n\r\n", "0\r\nX-Confirmed: true\r\n\r\n", "0\r\nHost: admin.example.org\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n", "0\r\n X: y\r\n\r\n", "0\r\nbad\r\n\r\n", "00\r\n\r\n", "0;a=b\r\n\r\n", "0 \r\n\r\n", "0\r\n\r\n\r\n\r\n",
			"\n\r\n" + inner, "\r\n\r\n" + inner, "g\r\n\r\n" + inner, ";\r\n" + inner, "1\r\na\r\n0\r\n" + inner + "\r\n\r\n", size + "\r\n" + inner + "0\r\n\r\n", "\u0661\r\na\r\n0\r\n\r\n",
		} {
			c.post("chunks", c.target(target), body, "Transfer-Encoding: chunked")
		}
		for _, value := range []string{
			"5", "05", "+5", "-5", " 5", "5 ", "5,5", "5, 5", "5,6", "0x5", "5.0", "5e0", "5;a", "5\x00", "5a", "a", "", "-0", "0", "00", "99999999999999999999", "18446744073709551621", "4294967301", "\"5\"", "5\r\n 0", "\r\n 5", "1_0", "\u0665", "0, 5", "5\t", "\x0b5", "NaN", "2",
		} {
			inner := c.hidden()
			c.add("content lengths", c.head("POST", c.target(target), "Content-Length: "+value)+"\r\nhello"+inner+"\r\n\r\n"+c.last(), false, true)
			c.add("two content lengths", c.head("POST", c.target(target), "Content-Length: 5", "Content-Length: "+value)+"\r\nhello"+inner+"\r\n\r\n"+c.last(), false, true)
			c.add("two content lengths", c.head("POST", c.target(target), "Content-Length: "+value, "Content_Length: 5", "content-length : 5")+"\r\nhello"+inner+"\r\n\r\n"+c.last(), false, true)
		}
	}
	for _, method := range []string{"GET", "HEAD", "DELETE", "OPTIONS"} {
		for _, target := range []string{"/<p>/<id>", "/<s>/<id>"} {
			inner := c.hidden() + "\r\n\r\n"
			c.add("bodies of other methods", c.head(method, c.target(target), "Content-Length: "+length(inner))+"\r\n"+inner+c.last(), false, false)
			c.add("bodies of other methods", c.head(method, c.target(target), "Transfer-Encoding: chunked")+"\r\n"+fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner)+c.last(), false, false)
			c.add("bodies of other methods", c.head(method, c.target(target), "Transfer-Encoding: chunked", "Content-Length: "+length(inner))+"\r\n0\r\n\r\n"+inner+c.last(), false, false)
			c.add("expected bodies", c.head(method, c.target(target), "Expect: 100-continue", "Content-Length: "+length(inner))+"\r\n"+inner+c.last(), false, false)
			c.add("expected bodies", c.head(method, c.target(target), "Expect: y 100-continue", "Content-Length: "+length(inner))+"\r\n"+inner+c.last(), false, false)
			c.add("bodies of HTTP/1.0", method+" "+c.target(target)+" HTTP/1.0\r\nHost: "+c.site.Host+"\r\n"+c.site.Credentials+"\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: "+length(inner)+"\r\n\r\n0\r\n\r\n"+inner+c.last(), false, true)
		}
	}
}

func (c *corpus) pipelines() {
	for _, pair := range [][2]string{
		{"/<s>/<id>", "/<p>/<id>"}, {"/<p>/<id>", "/<s>/<id>"}, {"/<p>/<id>", "/<p>/<id>"}, {"/<s>/<id>", "/<s>/../<p>/<id>"}, {"/<s>/<id>", "/<p>/<id>/notes"}, {"/<p>/<id>", "/<p>/<id>/../<id>"}, {"/<s>/<id>", "http://admin.example.org/<p>/<id>"}, {"/<s>/<id>", "//<p>/<id>"}, {"/<s>/<id>", "*"},
	} {
		first, second := c.target(pair[0]), c.target(pair[1])
		c.add("pipelines", c.head("GET", first)+"\r\n"+c.head("GET", second)+"\r\n"+c.last(), true, false)
		c.add("pipelines", c.head("GET", c.target(pair[0]))+"\r\n\r\n"+c.head("GET", c.target(pair[1]))+"\r\n"+c.last(), true, false)
		c.add("pipelines", c.head("HEAD", c.target(pair[0]))+"\r\n"+c.head("GET", c.target(pair[1]), "X-Wardkeeper-Subject: mallory")+"\r\n"+c.last(), true, false)
		c.add("pipelines", c.head("POST", c.target(pair[0]), "Content-Length: 0")+"\r\n"+c.head("GET", c.target(pair[1]))+"\r\n"+c.last(), false, false)
		c.add("pipelines", c.head("GET", c.target(pair[0]), "Connection: close")+"\r\n"+c.head("GET", c.target(pair[1]))+"\r\n"+c.last(), true, false)
		c.add("pipelines of others", c.head("GET", c.target(pair[0]))+"\r\n"+"GET "+c.target(pair[1])+" HTTP/1.1\r\nHost: "+c.site.Host+"\r\nAuthorization: Bearer bob\r\n\r\n"+c.last(), true, false)
		c.add("pipelines of others", c.head("GET", c.target(pair[0]))+"\r\n"+"GET "+c.target(pair[1])+" HTTP/1.1\r\nHost: admin.example.org\r\n\r\n"+c.last(), true, false)
		c.add("cut off", c.head("GET", c.target(pair[0]))+"\r\n"+c.head("GET", c.target(pair[1])), true, true)
	}
	for _, cut := range []string{
		"GET", "GET ", "GET /<p>/<id>", "GET /<p>/<id> HTTP/1.1", "GET /<p>/<id> HTTP/1.1\r\n", "GET /<p>/<id> HTTP/1.1\r\nHost", "GET /<p>/<id> HTTP/1.1\r\nHost: <host>", "GET /<p>/<id> HTTP/1.1\r\nHost: <host>\r\n", "GET /<p>/<id> HTTP/1.1\r\nHost: <host>\r\n\r",
		"POST /<s>/<id> HTTP/1.1\r\nHost: <host>\r\nContent-Length: 10\r\n\r\nhello", "POST /<s>/<id> HTTP/1.1\r\nHost: <host>\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "POST /<s>/<id> HTTP/1.1\r\nHost: <host>\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"POST /<s>/<id> HTTP/1.1\r\nHost: <host>\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "POST /<s>/<id> HTTP/1.1\r\nHost: <host>\r\nTransfer-Encoding: chunked\r\n\r\n", "POST /<s>/<id> HTTP/1.1\r\nHost: <host>\r\nContent-Length: 10\r\n\r\n",
	} {
		c.add("cut off", c.target(cut), false, true)
	}
}
