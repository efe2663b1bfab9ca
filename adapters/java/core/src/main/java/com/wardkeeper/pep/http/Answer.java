package com.wardkeeper.pep.http;

/** A complete answer with status 200. */
@SuppressWarnings("ArrayRecordComponent") // bytes are not copied
record Answer(byte[] body, boolean reusable) {}
