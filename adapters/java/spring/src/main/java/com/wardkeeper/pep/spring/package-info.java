/**
 * Protects applications of Spring Boot: by a route file, or in code with Spring Security.
 *
 * <p>{@link com.wardkeeper.pep.spring.Wardkeeper} is the bean that asks. Its questions are about
 * the person whom Spring Security has signed in.
 */
package com.wardkeeper.pep.spring;
