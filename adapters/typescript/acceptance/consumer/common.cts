// The same with CommonJS.

import pep = require("@wardkeeper/pep");
import express = require("@wardkeeper/pep/express");
import testing = require("@wardkeeper/pep/testing");

const checker = new pep.Checker({ decider: new testing.FakePdp().allow("user.view") });
const middleware: express.Middleware<express.ExpressRequest> = express.protect(checker);
const question = { subject: { type: "user", id: "a" }, action: { name: "user.view" }, resource: { type: "user", id: "b" } };
checker.enforcer.ask([question]).then(([outcome]) => console.log(outcome?.verdict, typeof middleware));
