/**
 * What HTTP requests mean, by a route file. Start at {@link com.wardkeeper.pep.routes.RouteTable}.
 */
package com.wardkeeper.pep.routes;
