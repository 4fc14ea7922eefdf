"""Phones and Android terminals through the adb server: client, phone, agent, device."""
