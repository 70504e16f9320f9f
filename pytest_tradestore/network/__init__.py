"""Clients of a server that die between two requests, or get a wrong answer or none: what becomes of the data?"""
